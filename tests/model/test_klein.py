"""A folder of FLUX.2 klein is read as klein's own pipeline reads it: pictures, prompts, ids, times, and images."""

import shutil
from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch
from diffusers import Flux2KleinPipeline

from cologen.model.bundle import Bundle, load
from cologen.model.layout import Layout
from cologen.model.opening import PipelineSpec, open_pipeline
from cologen.model.pipeline import CoLoGenPipeline
from cologen.model.presets import preset, preset_of
from cologen.model.tokens import as_flux2, grid_ids
from tests.model.tiny_klein import write_klein

PROMPT = "a red cat"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_klein(tmp_path_factory.mktemp("base") / "klein")


@pytest.fixture(scope="module")
def stock(folder: Path) -> Flux2KleinPipeline:
    return Flux2KleinPipeline.from_pretrained(folder)


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return load(preset_of(folder), folder, dtype=torch.float32)


def picture(height: int, width: int) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height)) * 2 - 1


@pytest.mark.parametrize(("height", "width"), [(32, 48), (48, 32), (16, 16)])
def test_latents_are_klein_s(bundle: Bundle, stock: Flux2KleinPipeline, height: int, width: int) -> None:
    given = picture(height, width)
    with torch.no_grad():
        expected = stock._encode_vae_image(given, torch.Generator())
        found = bundle.codec.encode(given)
    assert found.shape == (1, bundle.codec.latent_channels, height // 16, width // 16)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_a_sample_of_the_posterior_has_its_mean_at_no_noise(bundle: Bundle) -> None:
    given, nothing = picture(32, 32), torch.zeros(1, 16, 2, 2)
    with torch.no_grad():
        torch.testing.assert_close(bundle.codec.encode(given, nothing), bundle.codec.encode(given))
        assert not torch.equal(bundle.codec.encode(given, nothing + 1), bundle.codec.encode(given))


def test_prompts_are_encoded_as_klein_does_whatever_their_batch(bundle: Bundle, stock: Flux2KleinPipeline) -> None:
    expected, _ = stock.encode_prompt(PROMPT)
    found = bundle.text.encode([PROMPT, ""])
    torch.testing.assert_close(found.embeds[:1], expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(bundle.text.encode([PROMPT]).embeds, found.embeds[:1], rtol=0, atol=1e-5)
    assert found.pooled.shape == (2, 0)


def test_positions_are_klein_s(bundle: Bundle, stock: Flux2KleinPipeline) -> None:
    layout, latents = Layout.of(bundle.transformer, bundle.codec), torch.zeros(1, 16, 2, 3)
    assert torch.equal(layout.grid_ids(2, 3), stock._prepare_latent_ids(latents)[0].float())
    sources = stock._prepare_image_ids([latents, torch.zeros(1, 16, 3, 2)])[0].float()
    assert torch.equal(torch.cat([layout.grid_ids(2, 3, source=1), layout.grid_ids(3, 2, source=2)]), sources)
    assert torch.equal(layout.text_ids(5), stock._prepare_text_ids(torch.zeros(1, 5, 1))[0].float())
    assert as_flux2(grid_ids(1, 1, source=3)).tolist() == [[30, 0, 0, 0]]


@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_without_a_source_images_are_klein_s(folder: Path, stock: Flux2KleinPipeline, cfg: float) -> None:
    """The same noise, prompt and number of steps; guidance is against the empty prompt in both."""
    ours = open_pipeline(PipelineSpec(base=str(folder)))
    size, steps = {"height": 32, "width": 48}, {"num_inference_steps": 3, "output_type": "pt"}
    noise = torch.randn(1, 16, 2, 3, generator=torch.Generator().manual_seed(4))
    expected = stock(prompt=PROMPT, latents=noise, guidance_scale=cfg, **size, **steps).images
    tokens = noise.flatten(2).transpose(1, 2)
    found = ours(PROMPT, negative_prompt="", latents=tokens, true_cfg_scale=cfg, **size, **steps).images
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(32, 48), (48, 32)])
def test_a_source_is_seen_in_both_orientations(bundle: Bundle, height: int, width: int) -> None:
    bundle.transformer.rebuild(
        1, rank=2, expert_scale=2.0, routing="sample", source_timestep="zero", dtype=torch.float32
    )
    pipeline = CoLoGenPipeline.from_bundle(bundle)
    ask = {"num_inference_steps": 2, "output_type": "pt", "task": "editing", "height": height, "width": width}
    made = [
        pipeline(PROMPT, image=given, generator=torch.Generator().manual_seed(0), **ask).images
        for given in (picture(height, width) * 0.5 + 0.5, torch.zeros(1, 3, height, width))
    ]
    assert made[0].shape == (1, 3, height, width)
    assert not torch.equal(made[0], made[1])


def test_positions_keep_all_their_digits_in_half_precision(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16 has no odd numbers beyond 256, and prompts have 512 tokens."""
    pipeline = open_pipeline(PipelineSpec(base=str(folder), dtype="bfloat16"))
    asked, forward = [], pipeline.transformer.forward

    def recorded(*args: Any, **given: Any) -> Any:
        asked.append(given["txt_ids"])
        return forward(*args, **given)

    monkeypatch.setattr(pipeline.transformer, "forward", recorded)
    pipeline(PROMPT, height=16, width=16, num_inference_steps=1, true_cfg_scale=1.0, output_type="latent")
    assert torch.equal(asked[0][:, 3], torch.arange(512.0))


def test_a_base_model_is_guided_by_default_and_takes_no_other_guidance(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = CoLoGenPipeline.from_bundle(bundle)
    calls, forward = [], bundle.transformer.forward
    monkeypatch.setattr(
        bundle.transformer, "forward", lambda *args, **given: calls.append(1) or forward(*args, **given)
    )
    ask: dict[str, Any] = {"height": 16, "width": 16, "num_inference_steps": 1, "output_type": "latent"}
    pipeline(PROMPT, **ask)
    assert len(calls) == 2  # for the prompt, and for the empty one
    pipeline(PROMPT, true_cfg_scale=1.0, **ask)
    assert len(calls) == 3
    with pytest.raises(ValueError, match=r"klein has true_cfg_scale"):
        pipeline(PROMPT, guidance_scale=4.0, **ask)
    embeds = bundle.text.encode([PROMPT]).embeds
    assert pipeline(prompt_embeds=embeds, true_cfg_scale=1.0, **ask).images.shape == (1, 1, 16)


def test_weights_that_are_offloaded_draw_the_same_and_go_back(folder: Path) -> None:
    ask: dict[str, Any] = {"height": 16, "width": 16, "num_inference_steps": 1, "output_type": "pt"}
    ours = open_pipeline(PipelineSpec(base=str(folder)))
    expected = ours(PROMPT, generator=torch.Generator().manual_seed(0), **ask).images
    for part in (ours.transformer, ours.vae, ours.text_encoder):
        accelerate.cpu_offload(part, torch.device("cpu"))
    found = ours(PROMPT, generator=torch.Generator().manual_seed(0), **ask).images
    assert torch.equal(found, expected)
    assert all(weight.is_meta for part in (ours.vae, ours.text_encoder) for weight in part.parameters())


def test_another_way_in_is_one_message(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a folder of FLUX.2 or Qwen-Image: .* open with open_pipeline"):
        CoLoGenPipeline.from_pretrained(folder)
    whole = open_pipeline(PipelineSpec(base=str(folder)))
    with pytest.raises(ValueError, match="klein cannot be saved whole"):
        whole.save_pretrained(tmp_path / "saved")
    shutil.copytree(folder, tmp_path / "bare")
    (tmp_path / "bare" / "tokenizer" / "chat_template.jinja").unlink()
    with pytest.raises(FileNotFoundError, match="has no chat template"):
        open_pipeline(PipelineSpec(base=str(tmp_path / "bare")))


def test_presets_are_found_by_shape(folder: Path, tmp_path: Path) -> None:
    assert preset_of(folder).name == "klein"
    assert preset_of(folder).cfg == preset("klein-base-4b").cfg
    assert preset_of(write_klein(tmp_path / "fast", distilled=True)).cfg == 1.0
