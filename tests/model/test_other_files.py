"""The recipes of docs/using-other-files.md, on tiny networks: GGUF files, four bits, and LoRAs of FLUX.2 klein.

``gguf`` and ``bitsandbytes`` are no dependencies of the suite, so that their tests are skipped where they are missing.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import Flux2KleinPipeline, FluxTransformer2DModel, GGUFQuantizationConfig
from peft import LoraConfig, get_peft_model_state_dict

from cologen.model.adapters import load_adapter, save_adapter
from cologen.model.bundle import load
from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.pipeline import CoLoGenPipeline
from cologen.model.presets import preset_of
from tests.model.test_pipeline import edited, folder, picture, quiet, seeded, transformer_of
from tests.model.test_works_with import GIVEN, seen, woven
from tests.model.tiny import tiny
from tests.model.tiny_klein import write_klein

__all__ = ["folder"]


def write_gguf(base: Path, file: Path) -> None:
    """The transformer of a folder with its large matrices in eight bits, as files for GGUF have them."""
    gguf = pytest.importorskip("gguf")
    kind = gguf.GGMLQuantizationType.Q8_0
    writer = gguf.GGUFWriter(str(file), "flux")
    for name, weight in FluxTransformer2DModel.from_pretrained(base / "transformer").state_dict().items():
        values = weight.numpy()
        if values.ndim == 2 and values.shape[1] % 32 == 0:
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_is_a_base_that_takes_adapters(folder: Path, tmp_path: Path):
    write_gguf(folder, tmp_path / "flux.gguf")
    save_adapter(transformer_of(), tmp_path / "adapter")
    exact = quiet(CoLoGenPipeline.from_pretrained(folder))
    exact.load_adapter(tmp_path / "adapter")
    transformer = CoLoGenTransformer2DModel.from_single_file(
        str(tmp_path / "flux.gguf"),
        config=str(folder),
        subfolder="transformer",
        quantization_config=GGUFQuantizationConfig(compute_dtype=torch.float32),
        torch_dtype=torch.float32,
    )
    assert transformer.transformer_blocks[0].attn.to_k.weight.dtype == torch.uint8
    ours = quiet(CoLoGenPipeline.from_pretrained(folder, transformer=transformer))
    bare = edited(ours)
    ours.load_adapter(tmp_path / "adapter")
    expected = edited(exact)
    assert 0 < (edited(ours) - expected).norm() < 0.02 * expected.norm()
    assert all(weight.dtype == torch.float32 for weight in woven(transformer).values())
    ours.unload_adapter()
    assert torch.equal(edited(ours), bare)


def test_a_base_in_four_bits_carries_experts_that_train(tmp_path: Path):
    """Its layers run on a CPU too. That diffusers makes them while it reads a folder needs a GPU."""
    bnb = pytest.importorskip("bitsandbytes")
    model = tiny(2, dtype=torch.float32)
    before, experts = seen(model), woven(model)
    save_adapter(model, tmp_path)
    for name, layer in list(model.named_modules()):
        if type(layer) is torch.nn.Linear:
            given: dict[str, Any] = {"bias": layer.bias is not None, "quant_type": "nf4"}
            four = bnb.nn.Linear4bit(layer.in_features, layer.out_features, compute_dtype=torch.float32, **given)
            four.load_state_dict(layer.state_dict())
            # In training mode, as it is made: else some CPUs pack it, which takes widths of 64 and more.
            model.set_submodule(name, four.to("cpu"))
    assert model.transformer_blocks[0].attn.to_k.weight.dtype == torch.uint8
    assert all(torch.equal(weight, experts[name]) for name, weight in woven(model).items())
    assert 0 < (seen(model) - before).norm() < 0.3 * before.norm()
    load_adapter(model, tmp_path, dtype=torch.float32)
    trainable = model.train().freeze_for(1)
    model(**GIVEN.stock(), source=GIVEN.sources).sample.square().mean().backward()
    assert all(weight.grad.isfinite().all() for weight in trainable.values())


def test_a_lora_of_klein_is_read_as_klein_s_pipeline_does(tmp_path: Path):
    base = write_klein(tmp_path / "klein", distilled=True)
    stock = quiet(Flux2KleinPipeline.from_pretrained(base))
    names = ["to_k", "to_v", "to_qkv_mlp_proj"]
    stock.transformer.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=names, init_lora_weights=False))
    Flux2KleinPipeline.save_lora_weights(tmp_path, get_peft_model_state_dict(stock.transformer))
    ours = quiet(CoLoGenPipeline.from_bundle(load(preset_of(base), base, dtype=torch.float32)))
    ours.transformer.rebuild(1, rank=2, expert_scale=2.0, routing="sample", source_timestep="zero", dtype=torch.float32)
    noise = torch.randn(1, 16, 2, 3, generator=seeded())
    size: dict[str, Any] = {"height": 32, "width": 48, "num_inference_steps": 2}

    def drawn(**given: Any) -> torch.Tensor:
        tokens = noise.flatten(2).transpose(1, 2)
        return ours("a red cat", latents=tokens, output_type="pt", **size, **given).images

    plain, sight = drawn(), drawn(image=picture(1), task="editing")
    ours.load_lora_weights(tmp_path)
    expected = stock(prompt="a red cat", latents=noise, output_type="pt", **size).images
    torch.testing.assert_close(drawn(), expected, rtol=0, atol=1e-5)
    assert not torch.equal(drawn(image=picture(1), task="editing"), sight)
    assert torch.equal(drawn(joint_attention_kwargs={"scale": 0.0}), plain)
    ours.unload_lora_weights()
    assert torch.equal(drawn(image=picture(1), task="editing"), sight)
