"""A folder of Qwen-Image is read as its own pipeline reads it, but for pictures in the prompt: prompts and images."""

import json
from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch
from diffusers import QwenImagePipeline
from peft import LoraConfig, get_peft_model_state_dict

from cologen.model.adapters import save_adapter
from cologen.model.bundle import Bundle, load
from cologen.model.opening import PipelineSpec, open_pipeline
from cologen.model.pipeline import CoLoGenPipeline
from cologen.model.presets import base_kind_of, preset, preset_of
from cologen.model.qwen_image_text import QwenImageTextEncoder
from tests.model.tiny_qwen import write_qwen

PROMPT = "a red cat"
SIZE = {"height": 32, "width": 48}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_qwen(tmp_path_factory.mktemp("base") / "qwen")


@pytest.fixture(scope="module")
def stock(folder: Path) -> Any:
    return QwenImagePipeline.from_pretrained(folder)


@pytest.fixture
def bundle(folder: Path) -> Bundle:
    return load(preset_of(folder), folder, dtype=torch.float32)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(4))


def picture(height: int, width: int) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(height))


@pytest.mark.parametrize("prompt", [PROMPT, ""])
def test_prompts_are_encoded_as_the_stock_pipeline_does_whatever_their_batch(
    prompt: str, bundle: Bundle, stock: Any
) -> None:
    """To the bit, and zeros behind them."""
    expected, mask = stock.encode_prompt(prompt)
    found = bundle.text.encode(["another, longer", prompt])
    assert mask is None
    assert found.embeds.shape == (2, 512, 16) and found.pooled.shape == (2, 0)
    assert torch.equal(found.embeds[1:, : expected.shape[1]], expected)
    assert not found.embeds[1, expected.shape[1] :].any()
    assert torch.equal(bundle.text.encode([prompt]).embeds, found.embeds[1:])


def test_prompts_that_are_too_long_lose_their_end(bundle: Bundle, stock: Any) -> None:
    expected, _ = stock.encode_prompt("cat " * 200, max_sequence_length=512)
    torch.testing.assert_close(bundle.text.encode(["cat " * 200]).embeds, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_without_a_source_images_are_the_stock_pipelines(folder: Path, stock: Any, cfg: float) -> None:
    """The same noise, prompts and number of steps, and Qwen-Image's own form of guidance."""
    ours = open_pipeline(PipelineSpec(base=str(folder)))
    given: dict[str, Any] = {"latents": noise(1, 6, 8), "negative_prompt": "", "true_cfg_scale": cfg}
    given |= {"num_inference_steps": 3, "output_type": "pt", **SIZE}
    expected = stock(prompt=PROMPT, **given).images
    torch.testing.assert_close(ours(PROMPT, **given).images, expected, rtol=0, atol=1e-4)


def test_guided_by_default_against_the_empty_prompt(folder: Path) -> None:
    ours = open_pipeline(PipelineSpec(base=str(folder)))
    given: dict[str, Any] = {"latents": noise(1, 6, 8), "num_inference_steps": 2, "output_type": "latent", **SIZE}
    asked = ours(PROMPT, negative_prompt="", true_cfg_scale=4.0, **given).images
    assert torch.equal(ours(PROMPT, **given).images, asked)
    assert not torch.equal(ours(PROMPT, true_cfg_scale=1.0, **given).images, asked)
    with pytest.raises(ValueError, match="qwen has true_cfg_scale"):
        ours(PROMPT, guidance_scale=4.0, **given)
    with pytest.raises(ValueError, match="at least two steps"):
        ours(PROMPT, **{**given, "num_inference_steps": 1})


@pytest.mark.parametrize(("height", "width"), [(32, 48), (48, 32)])
def test_a_source_is_seen_in_both_orientations(bundle: Bundle, height: int, width: int) -> None:
    bundle.transformer.rebuild(
        1, rank=2, expert_scale=2.0, routing="sample", source_timestep="zero", dtype=torch.float32
    )
    pipeline = CoLoGenPipeline.from_bundle(bundle)
    ask = {"num_inference_steps": 2, "output_type": "pt", "task": "editing", "height": height, "width": width}
    made = [
        pipeline([PROMPT, "a"], image=given, generator=torch.Generator().manual_seed(0), **ask).images
        for given in (picture(height, width), torch.zeros(3, height, width))
    ]
    assert made[0].shape == (2, 3, height, width)
    assert not torch.equal(made[0], made[1])


def test_weights_that_are_offloaded_draw_the_same_and_go_back(folder: Path) -> None:
    ask: dict[str, Any] = {"height": 16, "width": 16, "num_inference_steps": 2, "output_type": "pt"}
    ours = open_pipeline(PipelineSpec(base=str(folder)))
    expected = ours(PROMPT, generator=torch.Generator().manual_seed(0), **ask).images
    for part in (ours.transformer, ours.vae, ours.text_encoder):
        accelerate.cpu_offload(part, torch.device("cpu"))
    assert torch.equal(ours(PROMPT, generator=torch.Generator().manual_seed(0), **ask).images, expected)
    assert all(weight.is_meta for part in (ours.vae, ours.text_encoder) for weight in part.parameters())


def test_a_lora_is_read_as_the_stock_pipeline_does(folder: Path, tmp_path: Path) -> None:
    stock, ours = QwenImagePipeline.from_pretrained(folder), open_pipeline(PipelineSpec(base=str(folder)))
    stock.transformer.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_k"], init_lora_weights=False))
    QwenImagePipeline.save_lora_weights(tmp_path, get_peft_model_state_dict(stock.transformer))
    given: dict[str, Any] = {"latents": noise(1, 6, 8), "num_inference_steps": 2, "output_type": "pt", **SIZE}
    plain = ours(PROMPT, true_cfg_scale=1.0, **given).images
    ours.load_lora_weights(tmp_path)
    found = ours(PROMPT, true_cfg_scale=1.0, **given).images
    torch.testing.assert_close(found, stock(prompt=PROMPT, **given).images, rtol=0, atol=1e-4)
    assert not torch.equal(found, plain)


def test_an_adapter_s_card_names_its_base(bundle: Bundle, tmp_path: Path) -> None:
    bundle.transformer.add_expert(0)
    save_adapter(bundle.transformer, tmp_path)
    assert "# Key-value experts for Qwen-Image\n" in (tmp_path / "README.md").read_text()


def test_another_way_in_is_one_message(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"of FLUX.2 or Qwen-Image: .* open with open_pipeline"):
        CoLoGenPipeline.from_pretrained(folder)
    with pytest.raises(ValueError, match="qwen cannot be saved whole"):
        open_pipeline(PipelineSpec(base=str(folder))).save_pretrained(tmp_path / "saved")
    with pytest.raises(FileNotFoundError, match="has no text_encoder, tokenizer: not a whole Qwen-Image folder"):
        QwenImageTextEncoder.from_folder(tmp_path)


@pytest.mark.parametrize("pipeline", ["QwenImagePipeline", "QwenImageEditPlusPipeline", "QwenImageLayeredPipeline"])
def test_the_preset_is_found_by_shape(pipeline: str, folder: Path, tmp_path: Path) -> None:
    assert base_kind_of(folder) == "qwen-image"
    assert (preset_of(folder).name, preset_of(folder).cfg) == ("qwen", 4.0)
    (tmp_path / "transformer").mkdir()
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": pipeline}))
    held = {"_class_name": "QwenImageTransformer2DModel", **preset("qwen-image-edit").transformer}
    (tmp_path / "transformer" / "config.json").write_text(json.dumps(held))
    if pipeline == "QwenImageLayeredPipeline":
        with pytest.raises(ValueError, match="is a QwenImageLayeredPipeline: expected one of Flux2KleinPipeline"):
            preset_of(tmp_path)
    else:
        assert preset_of(tmp_path).name == "qwen-image-edit"
