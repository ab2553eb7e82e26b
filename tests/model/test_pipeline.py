"""Without an image the pipeline is FLUX's; with one, each call sees its own and nothing else."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import accelerate
import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, FluxPipeline, FluxTransformer2DModel
from diffusers.models.transformers.transformer_flux import FluxAttnProcessor
from huggingface_hub.errors import LocalEntryNotFoundError
from PIL import Image

from cologen.model import assembly
from cologen.model.adapter_index import read_index
from cologen.model.adapters import save_adapter
from cologen.model.bundle import Bundle, build
from cologen.model.codecs import FluxCodec
from cologen.model.conditions import Size
from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.layout import Layout
from cologen.model.pipeline import CoLoGenPipeline
from cologen.model.presets import preset
from cologen.model.text import FluxTextEncoder
from tests.model.tiny import train_at_random
from tests.model.tiny_flux import TRANSFORMER, write_flux

CALL: dict[str, Any] = {
    "height": 32, "width": 48, "num_inference_steps": 2, "max_sequence_length": 16, "output_type": "latent",
    "return_dict": False,
}  # fmt: skip


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def picture(seed: int, height: int = 32, width: int = 48) -> torch.Tensor:
    return torch.rand(3, height, width, generator=seeded(seed))


def quiet(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def around(pipeline: CoLoGenPipeline, transformer: Any, kind: type = CoLoGenPipeline) -> Any:
    """The same pipeline around another transformer."""
    names = ("scheduler", "vae", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
    return quiet(kind(**{name: getattr(pipeline, name) for name in names}, transformer=transformer))


def transformer_of(num_experts: int = 2, **arguments: Any) -> CoLoGenTransformer2DModel:
    torch.manual_seed(0)
    model = CoLoGenTransformer2DModel(**{**TRANSFORMER, "rank": 2, **arguments})
    for _ in range(num_experts):
        model.add_expert(0)
    model.newcomer_bias = 0.0
    train_at_random(model)
    return model.eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_flux(tmp_path_factory.mktemp("flux") / "base")


@pytest.fixture(scope="module")
def fresh(folder: Path) -> CoLoGenPipeline:
    """As it comes from a FLUX folder."""
    return quiet(CoLoGenPipeline.from_pretrained(folder))


@pytest.fixture(scope="module")
def pipeline(fresh: CoLoGenPipeline) -> CoLoGenPipeline:
    """With two experts that have something to say."""
    return around(fresh, transformer_of())


@pytest.fixture(scope="module")
def world() -> CoLoGenPipeline:
    return quiet(CoLoGenPipeline.from_bundle(build(preset("world-tiny"))))


def edited(pipeline: CoLoGenPipeline, seed: int = 1, **arguments: Any) -> torch.Tensor:
    call = {"prompt": "a red cat", "image": picture(seed), "task": "editing", "generator": seeded(), **CALL}
    return pipeline(**{**call, **arguments})[0]


@pytest.mark.parametrize(
    "call",
    [
        {"output_type": "pt"},
        {"true_cfg_scale": 2.0, "negative_prompt": "a cat"},
        {"prompt": ["a red cat", "red"], "num_images_per_prompt": 2, "guidance_scale": 2.0},
        {"sigmas": [1.0, 0.4]},
    ],
)
def test_without_an_image_it_is_flux_to_the_bit(folder: Path, fresh: CoLoGenPipeline, call: dict[str, Any]):
    stock = quiet(FluxPipeline.from_pretrained(folder))
    call = {"prompt": "a red cat", **CALL, **call}
    expected = stock(**call, generator=seeded())[0]
    assert torch.equal(fresh(**call, generator=seeded())[0], expected)


def test_without_guidance_it_is_schnell_to_the_bit(fresh: CoLoGenPipeline):
    ours = around(fresh, transformer_of(guidance_embeds=False))
    stock_transformer = FluxTransformer2DModel(**{**TRANSFORMER, "guidance_embeds": False})
    stock_transformer.load_state_dict(ours.transformer.state_dict(), strict=False)
    stock = around(fresh, stock_transformer, FluxPipeline)
    expected = stock("red", generator=seeded(), **{**CALL, "num_inference_steps": 4})[0]
    assert torch.equal(ours("red", generator=seeded(), **{**CALL, "num_inference_steps": None})[0], expected)


def test_a_saved_pipeline_comes_back_with_its_experts_and_opens_as_flux_too(pipeline: CoLoGenPipeline, tmp_path: Path):
    pipeline.save_pretrained(tmp_path)
    again = quiet(CoLoGenPipeline.from_pretrained(tmp_path))
    assert torch.equal(edited(again), edited(pipeline))
    stock = quiet(FluxPipeline.from_pretrained(tmp_path))
    assert torch.equal(stock("red", generator=seeded(), **CALL)[0], pipeline("red", generator=seeded(), **CALL)[0])


@pytest.mark.parametrize("source_timestep", ["zero", "shared"])
def test_the_loop_equals_one_that_encodes_the_source_at_every_step(
    fresh: CoLoGenPipeline, source_timestep: str, monkeypatch: pytest.MonkeyPatch
):
    ours = around(fresh, transformer_of(source_timestep=source_timestep))
    calls, encode = [], CoLoGenTransformer2DModel.encode_source
    monkeypatch.setattr(CoLoGenTransformer2DModel, "encode_source", lambda *a, **k: calls.append(1) or encode(*a, **k))
    guided = {"true_cfg_scale": 2.0, "negative_prompt": "cat"}
    once = edited(ours, **guided)
    assert len(calls) == (1 if source_timestep == "zero" else 2)  # for two steps and both branches

    from cologen.model.sampling import CallSource

    kept = CallSource.at

    def forgetful(self: CallSource, time: torch.Tensor) -> Any:
        self._found = None
        return kept(self, time)

    monkeypatch.setattr(CallSource, "at", forgetful)
    assert torch.equal(edited(ours, **guided), once)


def test_a_call_sees_its_own_image_only(pipeline: CoLoGenPipeline):
    first, second = edited(pipeline, 1), edited(pipeline, 2)
    assert (first - second).abs().max() > 1e-3
    assert torch.equal(edited(pipeline, 1), first)
    without = pipeline("a red cat", generator=seeded(), **CALL)[0]
    assert (first - without).abs().max() > 1e-3


def test_a_batch_is_its_samples_one_by_one(pipeline: CoLoGenPipeline):
    batch = edited(
        pipeline, prompt=["a red cat", "red"], image=[picture(1), picture(2)], generator=[seeded(3), seeded(4)],
        true_cfg_scale=2.0, negative_prompt="cat",
    )  # fmt: skip
    guided = {"true_cfg_scale": 2.0, "negative_prompt": "cat"}
    singles = [
        edited(pipeline, prompt="a red cat", image=picture(1), generator=seeded(3), **guided),
        edited(pipeline, prompt="red", image=picture(2), generator=seeded(4), **guided),
    ]
    torch.testing.assert_close(batch, torch.cat(singles), rtol=0, atol=1e-5)


def test_several_pictures_of_a_prompt_are_those_of_several_calls(pipeline: CoLoGenPipeline):
    prompts, images = ["a red cat", "red"], [picture(1), picture(2)]
    draws = edited(
        pipeline, prompt=prompts, image=images, num_images_per_prompt=2, generator=[seeded(n) for n in range(4)]
    )
    third = edited(pipeline, prompt=prompts[1], image=images[1], generator=seeded(2))
    torch.testing.assert_close(draws[2:3], third, rtol=0, atol=1e-5)
    shared = edited(pipeline, prompt=prompts, image=images[0], generator=[seeded(0), seeded(1)])
    torch.testing.assert_close(shared[:1], draws[:1], rtol=0, atol=1e-5)


def test_several_sources_are_all_seen_and_told_apart(pipeline: CoLoGenPipeline):
    one, both = edited(pipeline), edited(pipeline, image=[picture(1), picture(2)])
    turned = edited(pipeline, image=[picture(2), picture(1)])
    assert (one - both).abs().max() > 1e-4
    assert (turned - both).abs().max() > 1e-5
    subjects = edited(pipeline, image=[picture(1), picture(2, 64, 32)], task="customized")
    assert subjects.shape == both.shape


@pytest.mark.parametrize(
    ("task", "more"), [("inpaint", {"mask": torch.ones(32, 48), "prompt": None}), ("grounding", {}), ("control", {}),
                       ("customized", {}), ("customize", {}), ("edit", {})]
)  # fmt: skip
def test_every_task_draws(pipeline: CoLoGenPipeline, task: str, more: dict[str, Any]):
    assert edited(pipeline, task=task, **more).shape == (1, 6, 64)


def test_callbacks_see_every_step_and_can_change_it(pipeline: CoLoGenPipeline):
    seen: list[tuple[int, float]] = []

    def watch(pipe: Any, step: int, timestep: torch.Tensor, tensors: dict[str, Any]) -> dict[str, Any]:
        seen.append((step, timestep.item()))
        assert set(tensors) == {"latents", "prompt_embeds"}
        return {"latents": torch.zeros_like(tensors["latents"])} if step == 1 else {}

    names = ["latents", "prompt_embeds"]
    changed = edited(pipeline, callback_on_step_end=watch, callback_on_step_end_tensor_inputs=names)
    assert [step for step, _ in seen] == [0, 1]
    assert seen[0][1] == 1000 > seen[1][1] > 0
    assert not changed.any()
    assert pipeline.num_timesteps == 2


def test_a_callback_can_stop_the_drawing(pipeline: CoLoGenPipeline):
    def stop(pipe: Any, step: int, timestep: torch.Tensor, tensors: dict[str, Any]) -> dict[str, Any]:
        pipe._interrupt = True
        return {}

    assert not torch.equal(edited(pipeline, callback_on_step_end=stop), edited(pipeline))


def test_results_come_in_the_form_asked_for(pipeline: CoLoGenPipeline):
    pt, arrays, pil = (edited(pipeline, output_type=kind) for kind in ("pt", "np", "pil"))
    assert pt.shape == (1, 3, 32, 48)
    assert np.array_equal(arrays, pt.permute(0, 2, 3, 1).numpy())
    assert pil[0].size == (48, 32)
    whole = pipeline("red", image=picture(1), task="edit", **{**CALL, "return_dict": True})
    assert whole.images.shape == (1, 6, 64)


def test_the_result_has_the_images_size_unless_told(pipeline: CoLoGenPipeline):
    call = {"height": None, "width": None, "output_type": "pil"}
    assert edited(pipeline, image=picture(1, 40, 70), **call)[0].size == (64, 32)
    assert edited(pipeline, image=picture(1, 40, 70), **{**call, "height": 50})[0].size == (80, 48)  # 87 x 50


def test_noise_can_be_given(pipeline: CoLoGenPipeline):
    noise = torch.randn(1, 6, 64, generator=seeded(9))
    assert torch.equal(edited(pipeline, latents=noise, generator=None), edited(pipeline, latents=noise, generator=None))


IMAGE, MASK = picture(1), torch.ones(32, 48)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"task": "paint"}, "no task is called 'paint'"),
        ({"task": None}, "say what the image is for"),
        ({"image": None, "task": None, "mask": MASK}, "a mask needs an image"),
        ({"image": None}, "editing needs an image"),
        ({"task": "inpaint"}, "inpaint needs a mask"),
        ({"mask": MASK}, "editing takes no mask"),
        ({"task": "inpaint", "mask": torch.ones(32, 40)}, "the mask is 40 x 32, its image 48 x 32"),
        ({"prompt": ["a", "b"], "image": [IMAGE] * 3}, "3 images for 2 prompts"),
        ({"prompt": ["a", "b"], "true_cfg_scale": 2.0, "negative_prompt": ["c"]}, "1 negative prompts for 2 prompts"),
        ({"generator": [torch.Generator()] * 2}, "2 generators for 1 pictures"),
        ({"latents": torch.zeros(1, 5, 64)}, r"latents are \(1, 5, 64\), expected \(1, 6, 64\)"),
        ({"prompt": []}, "prompt is an empty list"),
        ({"negative_prompt": [], "true_cfg_scale": 2.0}, "negative_prompt is an empty list"),
        ({"sigmas": []}, "sigmas must be finite"),
        ({"sigmas": [1.0, float("nan")]}, "sigmas must be finite"),
        ({"guidance_scale": float("nan")}, "guidance_scale must be finite"),
        ({"latents": torch.full((1, 6, 64), float("nan"))}, "latents hold a value that is not finite"),
        ({"prompt": ["a", "b"], "prompt_2": ["c"]}, "1 second prompts for 2 prompts"),
        (
            {"prompt": None, "prompt_embeds": torch.zeros(2, 5, 24), "pooled_prompt_embeds": torch.zeros(1, 16)},
            "1 pooled embeddings for 2 prompts",
        ),
        (
            {
                "true_cfg_scale": 2.0,
                "negative_prompt_embeds": torch.zeros(1, 5, 24),
                "negative_pooled_prompt_embeds": torch.zeros(1, 16),
            },
            r"negative_prompt_embeds are \(1, 5, 24\), expected \(1, 16, 24\)",
        ),
        ({"prompt": None}, "Provide either `prompt` or `prompt_embeds`"),
        ({"paste_known": True}, "paste_known needs a mask"),
        ({"num_inference_steps": 0}, "at least one step"),
        ({"num_images_per_prompt": 0}, "at least 1, got 0"),
        ({"height": 8}, "at least 16, got 8"),
        ({"callback_on_step_end_tensor_inputs": ["noise"]}, "callback_on_step_end_tensor_inputs"),
    ],
)
def test_what_is_wrong_is_said_once(pipeline: CoLoGenPipeline, wrong: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        edited(pipeline, **{"image": IMAGE, **wrong})


def test_an_adapter_gives_the_pipeline_it_was_saved_from(pipeline: CoLoGenPipeline, folder: Path, tmp_path: Path):
    save_adapter(pipeline.transformer, tmp_path)
    other = around(pipeline, transformer_of(0))
    before = edited(other)
    other.load_adapter(str(tmp_path))
    assert torch.equal(edited(other), edited(pipeline))
    assert not torch.equal(edited(other), before)
    with pytest.raises(ValueError, match="holds no router of stage 0"):
        other.load_adapter(tmp_path, stage=0)
    with pytest.raises(FileNotFoundError, match="no adapter in"):
        other.load_adapter(folder)


def test_stages_are_switched_and_left_without_reading_again(fresh: CoLoGenPipeline, tmp_path: Path):
    """The folder is gone after the first stage and the last were read; what is left is the base, to the bit."""
    model = transformer_of(0)
    bare = edited(around(fresh, transformer_of(0)))
    for stage in range(3):
        model.add_expert(stage)
        train_at_random(model, stage)
        save_adapter(model, tmp_path / "adapter")
    ours = around(fresh, transformer_of(0))
    with pytest.raises(ValueError, match="call load_adapter first"):
        ours.set_stage(0)
    made = []
    for stage in (0, 2):
        ours.load_adapter(tmp_path / "adapter", stage)
        made.append(edited(ours))
    ours.set_stage(0)
    shutil.rmtree(tmp_path / "adapter")
    for stage, expected in ((2, made[1]), (0, made[0])):
        ours.set_stage(stage)
        assert torch.equal(edited(ours), expected)
    with pytest.raises(ValueError, match="no router of stage 3: there is stage 0, 1, 2"):
        ours.set_stage(3)
    ours.unload_adapter()
    assert ours.transformer.num_experts == 0
    assert torch.equal(edited(ours), bare)


def test_of_adapters_one_after_the_other_the_last_is_there_alone(fresh: CoLoGenPipeline, tmp_path: Path):
    """Of another size, at another strength and stage: nothing of the first is left, nor of both once unloaded."""
    for number, name in ((3, "first"), (2, "second")):
        model = transformer_of(number, rank=number)
        train_at_random(model, number)
        save_adapter(model, tmp_path / name)
    ours, alone = (around(fresh, transformer_of(0)) for _ in range(2))
    bare = edited(ours)
    ours.load_adapter(tmp_path / "first")
    ours.set_strength(0.5)
    ours.load_adapter(tmp_path / "second")
    alone.load_adapter(tmp_path / "second")
    assert torch.equal(edited(ours), edited(alone))
    assert torch.equal(ours.routing.probability, alone.routing.probability)
    ours.unload_adapter()
    assert torch.equal(edited(ours), bare)


def test_strength_scales_what_experts_add(fresh: CoLoGenPipeline):
    ours = around(fresh, transformer_of())
    whole, bare = edited(ours), edited(around(fresh, transformer_of(0)))
    ours.set_strength(0.0)
    assert torch.equal(edited(ours), bare)
    ours.set_strength(0.5)
    between = edited(ours)
    assert not torch.equal(between, whole) and not torch.equal(between, bare)
    ours.set_strength(1.0)
    assert torch.equal(edited(ours), whole)
    with pytest.raises(ValueError, match="strength must be finite"):
        ours.set_strength(float("nan"))


def test_the_routing_of_the_last_call_can_be_asked_for(fresh: CoLoGenPipeline):
    ours = around(fresh, transformer_of(2))
    assert ours.routing is None
    edited(ours)
    assert ours.routing.choice.shape == (1, ours.transformer.num_blocks)
    tokens = Layout.of(ours.transformer, ours._codec).source(
        ours._codec, 2 * IMAGE[None] - 1, 1, Size(height=32, width=48), 1, torch.zeros(1, 1, 1)
    )
    pooled = ours.encode_prompt("red", max_sequence_length=16)[1]
    cache = ours.transformer.encode_source(tokens, pooled_projections=pooled)
    assert torch.equal(ours.routing.choice, cache.routing.choice)
    ours("red", generator=seeded(), **CALL)
    assert ours.routing is None


def test_a_saved_adapter_carries_notes(fresh: CoLoGenPipeline, tmp_path: Path):
    """Those of the adapter that was loaded too; which stays as it is, for its experts may have more digits."""
    ours = around(fresh, transformer_of())
    ours.save_adapter(tmp_path / "one", recipe="mine")
    assert read_index(tmp_path / "one")["notes"] == {"recipe": "mine"}
    ours.load_adapter(tmp_path / "one")
    with pytest.raises(ValueError, match="is the adapter that was loaded: save into another folder"):
        ours.save_adapter(tmp_path / "one")
    ours.save_adapter(tmp_path / "two", by="me")
    assert read_index(tmp_path / "two")["notes"] == {"recipe": "mine", "by": "me"}


def test_a_name_that_the_hub_does_not_give_is_named(fresh: CoLoGenPipeline, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def fetched(name: str, **given: Any) -> str:
        asked.append((name, given["revision"]))
        raise LocalEntryNotFoundError("offline")

    monkeypatch.setattr(assembly, "snapshot_download", fetched)
    with pytest.raises(FileNotFoundError, match=r"no folder someone/adapter, and the hub did not give .*: offline"):
        around(fresh, transformer_of(0)).load_adapter("someone/adapter", revision="v1")
    assert asked == [("someone/adapter", "v1")]


def test_fill_bases_see_the_hole_and_do_all_other_tasks_too(fresh: CoLoGenPipeline):
    fill = around(fresh, transformer_of(in_channels=384))
    half = torch.zeros(32, 48)
    half[:16] = 1
    whole, upper = (edited(fill, task="inpaint", mask=mask) for mask in (MASK, half))
    assert (whole - upper).abs().max() > 1e-3
    assert edited(fill).shape == fill("red", **CALL)[0].shape == (1, 6, 64)
    draws = edited(fill, task="inpaint", mask=half, num_images_per_prompt=2, generator=[seeded(), seeded(1)])
    torch.testing.assert_close(draws[:1], upper, rtol=0, atol=1e-5)


def test_a_bundle_of_flux_is_the_pipeline_of_its_folder(pipeline: CoLoGenPipeline):
    pipe: Any = pipeline
    text = FluxTextEncoder(pipe.text_encoder, pipe.tokenizer, pipe.text_encoder_2, pipe.tokenizer_2, num_tokens=16)
    bundle = Bundle(preset=preset("flux-dev"), transformer=pipe.transformer, codec=FluxCodec(pipe.vae), text=text)
    ours = quiet(CoLoGenPipeline.from_bundle(bundle))
    # The two schedulers differ in nothing but the static shift, which dev's dynamic one replaces.
    assert torch.equal(edited(ours, output_type="pt"), edited(pipeline, output_type="pt"))


def test_the_world_runs_through_the_same_call(world: CoLoGenPipeline):
    image = Image.fromarray((picture(1, 32, 32).permute(1, 2, 0) * 255).byte().numpy())
    mask = torch.zeros(32, 32)
    mask[8:20, 8:20] = 1
    (drawn,) = world("a red ball", image=image, mask=mask, task="inpaint", num_inference_steps=2, generator=seeded(),
                     paste_known=True).images  # fmt: skip
    same = (np.asarray(drawn) == np.asarray(image)).all(axis=2)
    assert same[mask.numpy() == 0].all()
    assert not same[mask.numpy() == 1].all()


def test_a_world_in_training_is_drawn_from_without_its_routers_noise():
    bundle = build(preset("world-tiny"))
    for _ in range(2):
        bundle.transformer.add_expert(0)
    bundle.transformer.newcomer_bias = 0.0
    train_at_random(bundle.transformer)
    ours = quiet(CoLoGenPipeline.from_bundle(replace(bundle, transformer=bundle.transformer.train())))
    call = {"height": None, "width": None, "max_sequence_length": None}
    assert torch.equal(edited(ours, **call), edited(ours, **call))


def test_the_world_draws_batches_in_any_size(world: CoLoGenPipeline):
    drawn = world(["a red ball", "two boxes"], true_cfg_scale=2.0, negative_prompt="a ball", height=30, width=21,
                  num_inference_steps=2, output_type="pt").images  # fmt: skip
    assert drawn.shape == (2, 3, 28, 20)


def test_offloading_hooks_are_woken_for_the_source_too(fresh: CoLoGenPipeline):
    ours = around(fresh, transformer_of())
    expected = edited(ours)
    woken: list[int] = []

    class Hook(accelerate.hooks.ModelHook):
        def pre_forward(self, module: Any, *args: Any, **kwargs: Any) -> Any:
            woken.append(1)
            return args, kwargs

    accelerate.hooks.add_hook_to_module(ours.transformer, Hook())
    assert torch.equal(edited(ours), expected)
    assert len(woken) == 1 + 2  # for the source, and at each step


def test_weights_that_are_offloaded_one_by_one_draw_the_same(fresh: CoLoGenPipeline, tmp_path: Path):
    ours = around(fresh, transformer_of())
    expected, pixels = edited(ours), edited(ours, output_type="pt")
    for part in (ours.transformer, ours.vae, ours.text_encoder, ours.text_encoder_2):
        accelerate.cpu_offload(part, torch.device("cpu"))
    assert all(weight.is_meta for weight in ours.transformer.parameters())
    assert torch.equal(edited(ours), expected)
    assert torch.equal(edited(ours, output_type="pt"), pixels)
    with pytest.raises(ValueError, match="load the adapter before"):
        ours.load_adapter(tmp_path)
    for part in (ours.vae, ours.text_encoder, ours.text_encoder_2):  # shared with other tests
        accelerate.hooks.remove_hook_from_module(part, recurse=True)


def test_loras_reach_the_source_as_well(fresh: CoLoGenPipeline, tmp_path: Path):
    from peft import LoraConfig, get_peft_model_state_dict

    ours = around(fresh, transformer_of())
    plain = edited(ours)
    ours.transformer.add_adapter(LoraConfig(r=2, target_modules=["to_k", "to_v"], init_lora_weights=False))
    layers = get_peft_model_state_dict(ours.transformer)
    FluxPipeline.save_lora_weights(tmp_path, transformer_lora_layers=layers)
    other = around(fresh, transformer_of())
    other.load_lora_weights(tmp_path)
    assert torch.equal(edited(other, joint_attention_kwargs={"scale": 0.0}), plain)
    assert (edited(other) - plain).abs().max() > 1e-3


def test_without_text_encoders_embeddings_are_asked_for(pipeline: CoLoGenPipeline, folder: Path):
    names = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
    bare = quiet(CoLoGenPipeline.from_pretrained(folder, **dict.fromkeys(names)))
    for call in ({}, {"prompt": None, "task": "inpaint", "mask": MASK}):
        with pytest.raises(ValueError, match=r"has no text_encoder, tokenizer, .*: load them, or give prompt_embeds"):
            edited(bare, **call)
    embeds = {"prompt_embeds": torch.ones(1, 5, 24), "pooled_prompt_embeds": torch.ones(1, 16)}
    assert edited(bare, prompt=None, **embeds).shape == (1, 6, 64)


def test_a_router_draws_no_noise_whatever_the_mode_of_the_model(pipeline: CoLoGenPipeline):
    expected = edited(pipeline)
    training = around(pipeline, transformer_of().train())
    assert torch.equal(edited(training), expected)
    assert training.transformer.training


def test_a_call_leaves_the_autoencoder_as_it_was(folder: Path):
    ours = around(quiet(CoLoGenPipeline.from_pretrained(folder)), transformer_of())
    ours.vae.requires_grad_(True).train()
    edited(ours, output_type="pt")
    assert ours.vae.training
    assert all(weight.requires_grad for weight in ours.vae.parameters())


def test_flux_in_memory_becomes_cologen_and_stays_flux(pipeline: CoLoGenPipeline, folder: Path, tmp_path: Path):
    save_adapter(pipeline.transformer, tmp_path)
    stock = quiet(FluxPipeline.from_pretrained(folder))
    expected = stock("red", generator=seeded(), **CALL)[0]
    ours = quiet(CoLoGenPipeline.from_pipe(stock))
    assert torch.equal(ours("red", generator=seeded(), **CALL)[0], expected)
    ours.load_adapter(tmp_path)
    loaded = quiet(CoLoGenPipeline.from_pretrained(folder))
    loaded.load_adapter(tmp_path)
    assert torch.equal(edited(ours), edited(loaded))
    assert torch.equal(stock("red", generator=seeded(), **CALL)[0], expected)
    pairs = zip(stock.transformer.transformer_blocks.parameters(), ours.transformer.transformer_blocks.parameters(),
                strict=True)  # fmt: skip
    assert all(one is other for one, other in pairs)
    assert type(stock.transformer) is FluxTransformer2DModel
    assert CoLoGenPipeline.from_pipe(stock).transformer is ours.transformer
    assert torch.equal(edited(CoLoGenPipeline.from_pipe(ours)), edited(ours))
    given = quiet(CoLoGenPipeline.from_pretrained(folder, transformer=stock.transformer))
    assert torch.equal(edited(given), edited(ours))


def test_another_pipeline_keeps_the_precision_and_flux_takes_ours(folder: Path, pipeline: CoLoGenPipeline):
    half = FluxPipeline.from_pretrained(folder, dtype=torch.bfloat16)
    assert CoLoGenPipeline.from_pipe(half).transformer.dtype == torch.bfloat16
    stock = quiet(FluxPipeline.from_pipe(pipeline, transformer=pipeline.transformer))
    assert torch.equal(stock("red", generator=seeded(), **CALL)[0], pipeline("red", generator=seeded(), **CALL)[0])


def test_a_stock_transformer_that_cannot_be_shared_is_refused(folder: Path, pipeline: CoLoGenPipeline, tmp_path: Path):
    stock = FluxPipeline.from_pretrained(folder)
    accelerate.cpu_offload(stock.transformer, torch.device("cpu"))
    with pytest.raises(ValueError, match="offloaded, parallel or has other hooks"):
        CoLoGenPipeline.from_pipe(stock)
    pipeline.transformer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="without its experts: read it as ours"):
        CoLoGenPipeline.from_pretrained(folder, transformer=FluxTransformer2DModel.from_pretrained(tmp_path))


def test_a_saved_folder_opens_by_the_general_pipeline_with_its_experts(fresh: CoLoGenPipeline, tmp_path: Path):
    ours = around(fresh, transformer_of())
    ours.transformer.newcomer_bias = -3.0
    ours.save_pretrained(tmp_path)
    again = quiet(DiffusionPipeline.from_pretrained(tmp_path))
    assert type(again) is CoLoGenPipeline
    assert again.transformer.newcomer_bias == -3.0
    assert torch.equal(edited(again), edited(ours))
    assert ours.save_pretrained(tmp_path / "variant", variant="fp16") is None
    assert torch.equal(edited(quiet(CoLoGenPipeline.from_pretrained(tmp_path / "variant", variant="fp16"))),
                       edited(ours))  # fmt: skip


def test_without_experts_a_saved_folder_is_one_of_flux(fresh: CoLoGenPipeline, tmp_path: Path):
    fresh.save_pretrained(tmp_path)
    index = json.loads((tmp_path / "model_index.json").read_text())
    assert index["transformer"] == ["diffusers", "FluxTransformer2DModel"]


def test_a_bundle_of_flux_is_saved_as_a_folder_and_the_worlds_is_not(
    pipeline: CoLoGenPipeline, world: CoLoGenPipeline, tmp_path: Path
):
    pipe: Any = pipeline
    text = FluxTextEncoder(pipe.text_encoder, pipe.tokenizer, pipe.text_encoder_2, pipe.tokenizer_2, num_tokens=16)
    bundle = Bundle(preset=preset("flux-dev"), transformer=pipe.transformer, codec=FluxCodec(pipe.vae), text=text)
    CoLoGenPipeline.from_bundle(bundle).save_pretrained(tmp_path / "flux")
    again = quiet(CoLoGenPipeline.from_pretrained(tmp_path / "flux"))
    assert torch.equal(edited(again, output_type="pt"), edited(pipeline, output_type="pt"))
    with pytest.raises(ValueError, match="a pipeline of world-tiny cannot be saved whole"):
        world.save_pretrained(tmp_path / "world")
    assert not (tmp_path / "world").exists()


def test_attention_that_was_reset_sees_a_source_again(pipeline: CoLoGenPipeline):
    expected = edited(pipeline)
    pipeline.unload_ip_adapter()
    assert torch.equal(edited(pipeline), expected)
    pipeline.transformer.set_attn_processor(FluxAttnProcessor())
    assert torch.equal(edited(pipeline), expected)
    with pytest.raises(ValueError, match="IP adapters replace the attention that sees a source"):
        pipeline.load_ip_adapter("anything")


def test_a_part_that_is_missing_or_wrapped_for_training_is_named(folder: Path):
    pipe = quiet(CoLoGenPipeline.from_pretrained(folder))
    cases = [
        ("transformer", None, "the pipeline has no transformer"),
        ("transformer", torch.nn.DataParallel(pipe.transformer), "wrapped by DataParallel"),
        ("scheduler", None, "the pipeline has no scheduler"),
    ]
    for name, wrong, message in cases:
        right = getattr(pipe, name)
        setattr(pipe, name, wrong)
        with pytest.raises((TypeError, ValueError), match=message):
            pipe("a cup", num_inference_steps=1)
        setattr(pipe, name, right)
