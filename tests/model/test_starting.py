"""Image-to-image starts where diffusers' does, and every base finds its way back from there."""

from typing import Any

import pytest
import torch
from diffusers import FluxImg2ImgPipeline

from cologen.model.bundle import load
from cologen.model.layout import Layout
from cologen.model.pipeline import CoLoGenPipeline
from cologen.model.presets import preset_of
from cologen.model.sampling import Denoiser
from cologen.model.starting import first_step
from tests.model.test_pipeline import around, edited, folder, fresh, picture, pipeline, quiet, seeded, world
from tests.model.tiny_klein import write_klein

__all__ = ["folder", "fresh", "pipeline", "world"]

STEPS: dict[str, Any] = {"num_inference_steps": 5}


@pytest.fixture(scope="module")
def klein(tmp_path_factory: pytest.TempPathFactory) -> CoLoGenPipeline:
    base = write_klein(tmp_path_factory.mktemp("base") / "klein", distilled=True)
    return quiet(CoLoGenPipeline.from_bundle(load(preset_of(base), base, dtype=torch.float32)))


@pytest.mark.parametrize(
    "call",
    [{"strength": 0.3}, {"strength": 0.6}, {"strength": 0.99}, {"strength": 0.6, "sigmas": [0.9, 0.5, 0.2]},
     {"strength": 0.6, "num_images_per_prompt": 2}],
)  # fmt: skip
def test_without_a_source_it_is_flux_s_image_to_image_to_the_bit(fresh: CoLoGenPipeline, call: dict[str, Any]):
    """From the same latents: diffusers draws a sample of the autoencoder's posterior, and we take its mode, as for
    sources."""
    seen: list[list[float]] = []

    def watch(pipe: Any, step: int, timestep: torch.Tensor, tensors: dict[str, Any]) -> dict[str, Any]:
        seen[-1].append(timestep.item())
        return {}

    call = {**STEPS, **call, "guidance_scale": 3.5, "task": None, "callback_on_step_end": watch}
    latents = fresh._codec.encode(picture(1)[None] * 2 - 1)
    seen.append([])
    found = edited(fresh, **call)
    seen.append([])
    stock: Any = around(fresh, fresh.transformer, FluxImg2ImgPipeline)
    del call["task"]
    asked = {"height": 32, "width": 48, "max_sequence_length": 16, "output_type": "latent", "return_dict": False}
    assert torch.equal(found, stock("a red cat", image=latents, generator=seeded(), **asked, **call)[0])
    assert seen[0] == seen[1]


@pytest.mark.parametrize("strength", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("base", ["pipeline", "klein", "world"])
def test_a_model_that_knows_the_way_returns_the_image(
    base: str, strength: float, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
):
    """The velocity of the straight path from the image to the noise leads back to the image from any of its points."""
    ours: CoLoGenPipeline = request.getfixturevalue(base)
    layout = Layout.of(ours.transformer, ours._codec)
    image = picture(1) * 2 - 1
    clean = layout.encoded(ours._codec, image[None], torch.zeros(1))
    noise = torch.randn(clean.shape, generator=seeded(3))
    monkeypatch.setattr(Denoiser, "velocity", lambda *_: noise - clean)
    call = {"strength": strength, "latents": noise, "max_sequence_length": None, **STEPS}
    torch.testing.assert_close(edited(ours, **call), clean, rtol=0, atol=1e-5)


def test_the_source_is_seen_and_full_strength_is_as_ever(pipeline: CoLoGenPipeline):
    """For inpainting, what is in the hole is a part of the start, though no part of the source."""
    half = {"strength": 0.5, **STEPS}
    assert not torch.equal(edited(pipeline, **half), edited(pipeline, task=None, **half))
    assert torch.equal(edited(pipeline, strength=1.0, **STEPS), edited(pipeline, **STEPS))
    hole = torch.zeros(32, 48)
    hole[:16] = 1
    other = torch.where(hole > 0, picture(2), picture(1))
    filled = {"task": "inpaint", "mask_image": hole, **STEPS}
    assert torch.equal(edited(pipeline, image=other, **filled), edited(pipeline, **filled))
    assert not torch.equal(
        edited(pipeline, image=other, strength=0.5, **filled), edited(pipeline, strength=0.5, **filled)
    )


def test_each_of_a_batch_starts_from_its_own(pipeline: CoLoGenPipeline):
    half = {"strength": 0.5, **STEPS}
    images, seeds = [picture(1), picture(2)], [seeded(3), seeded(4), seeded(5), seeded(6)]
    batch = edited(pipeline, prompt=["red", "red"], image=images, num_images_per_prompt=2, generator=seeds, **half)
    last = edited(pipeline, prompt="red", image=images[1], generator=seeded(6), **half)
    torch.testing.assert_close(batch[3:], last, rtol=0, atol=1e-5)


def test_the_first_step_is_rounded_down():
    assert [first_step(28, strength) for strength in (1.0, 0.99, 0.6, 0.5, 0.01)] == [0, 0, 11, 14, 27]
    with pytest.raises(ValueError, match="leaves none of 4 steps"):
        first_step(4, 1e-20)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"strength": 0.0}, "strength must be above 0 and at most 1, got 0.0"),
        ({"strength": float("nan")}, "strength must be above 0 and at most 1, got nan"),
        ({"image": None, "task": None}, "a strength below 1 starts from an image"),
        ({"task": "control"}, r"results that resemble the image \(inpaint, grounding, editing\): the task control"),
        ({"task": "customized"}, "the task customized takes none"),
        ({"task": None, "image": [picture(1), picture(2)]}, "image-to-image starts from one image: got 2"),
        ({"task": None, "mask": torch.ones(32, 48)}, "a mask needs an image, and task='inpaint'"),
    ],
)
def test_a_strength_that_means_nothing_is_refused(pipeline: CoLoGenPipeline, wrong: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        edited(pipeline, **{"strength": 0.5, **wrong})
