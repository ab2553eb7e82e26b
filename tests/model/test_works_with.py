"""What people do to a FLUX, they can do to this one: LoRAs, backends, bf16, quantization, offloading, …"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import accelerate
import pytest
import torch
from peft import LoraConfig
from torch import Tensor

from cologen.model.adapters import load_adapter, save_adapter
from cologen.model.transformer import CoLoGenTransformer2DModel
from tests.model.tiny import inputs, tiny

GIVEN = inputs(dtype=torch.float32)
ROUTINGS = pytest.mark.parametrize("routing", ["sample", "token"])


def seen(model: CoLoGenTransformer2DModel) -> Tensor:
    with torch.no_grad():
        return model(**GIVEN.stock(), source=GIVEN.sources).sample


def keys(model: CoLoGenTransformer2DModel) -> Tensor:
    """Those that the source leaves in the last block."""
    with torch.no_grad():
        return model.encode_source(GIVEN.sources, pooled_projections=GIVEN.pooled).keys[-1]


def woven(model: CoLoGenTransformer2DModel) -> dict[str, Tensor]:
    return {name: weight.clone() for name, weight in model.state_dict().items() if ".prw." in name}


@pytest.mark.parametrize("what", ["reading", "training", "adapters"])
def test_compiled_it_gives_the_same(what: str):
    line = [sys.executable, "-m", "tests.model.compiled", what]
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run(line, cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@ROUTINGS
def test_experts_in_float32_train_on_a_base_in_bfloat16(routing: str):
    model = tiny(2, routing=routing, dtype=torch.float32)
    exact = seen(model)
    for name, weight in model.named_parameters():
        if ".prw." not in name:
            weight.data = weight.data.bfloat16()
    given = inputs(dtype=torch.bfloat16)
    trainable = model.train().freeze_for(1)
    model.enable_gradient_checkpointing()
    found = model(**given.stock(), source=given.sources)
    assert found.sample.dtype == torch.bfloat16
    assert found.routing.probability.dtype == torch.float32
    found.sample.float().square().mean().backward()
    assert all(weight.grad.dtype == torch.float32 and weight.grad.isfinite().all() for weight in trainable.values())
    model.eval()
    rough = model(**given.stock(), source=given.sources).sample
    assert (rough - exact).norm() < 0.1 * exact.norm()


@pytest.mark.parametrize("backend", ["native", "_native_math"])
def test_an_attention_backend_is_obeyed(backend: str):
    model = tiny(2, dtype=torch.float32)
    before = seen(model)
    model.set_attention_backend(backend)
    assert (seen(model) - before).abs().max() < 1e-5
    assert {attn.processor._attention_backend.value for attn in model._attentions()} == {backend}


def test_fused_projections_give_the_same_and_can_be_undone():
    model = tiny(2, dtype=torch.float32)
    before = seen(model)
    model.fuse_qkv_projections()
    assert model.transformer_blocks[0].attn.fused_projections
    assert (seen(model) - before).abs().max() < 1e-5
    model.unfuse_qkv_projections()
    assert torch.equal(seen(model), before)


@pytest.mark.parametrize("targets", [["to_k", "to_q"], "all-linear"], ids=["keys and queries", "all linear"])
def test_a_lora_works_in_both_passes_and_leaves_the_experts_alone(targets: list[str] | str):
    model = tiny(2, dtype=torch.float32)
    experts, both, left = woven(model), seen(model), keys(model)
    model.add_adapter(LoraConfig(r=2, target_modules=targets, init_lora_weights=False))
    assert woven(model).keys() == experts.keys()
    assert all(torch.equal(weight, experts[name]) for name, weight in woven(model).items())
    assert not torch.equal(seen(model), both)
    assert not torch.equal(keys(model), left)
    without = {"scale": 0.0}
    assert torch.equal(
        model.encode_source(GIVEN.sources, pooled_projections=GIVEN.pooled, joint_attention_kwargs=without).keys[-1],
        left,
    )
    assert torch.equal(model(**GIVEN.stock(), source=GIVEN.sources, joint_attention_kwargs=without).sample, both)
    assert without == {"scale": 0.0}
    assert all(".prw." in name for name in model.freeze_for(1))
    model.disable_adapters()
    assert torch.equal(seen(model), both)


def test_a_lora_and_an_adapter_are_saved_apart(tmp_path: Path):
    model = tiny(1, dtype=torch.float32)
    model.add_adapter(LoraConfig(r=2, target_modules=["to_k"], init_lora_weights=False))
    model.save_lora_adapter(tmp_path / "lora")
    save_adapter(model, tmp_path / "adapter")
    other = tiny(dtype=torch.float32)
    load_adapter(other, tmp_path / "adapter")
    assert torch.equal(seen(other), seen(tiny(1, dtype=torch.float32)))
    other.load_lora_adapter(tmp_path / "lora", prefix=None, weight_name="pytorch_lora_weights.safetensors")
    assert torch.equal(seen(other), seen(model))
    load_adapter(other, tmp_path / "adapter")
    assert torch.equal(seen(other), seen(model))


@ROUTINGS
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torchao")
def test_a_quantized_base_carries_experts_that_train(routing: str, tmp_path: Path):
    quantization = pytest.importorskip("torchao.quantization")
    model = tiny(2, routing=routing, dtype=torch.float32)
    before, experts = seen(model), woven(model)
    save_adapter(model, tmp_path)
    quantization.quantize_(model, quantization.Int8WeightOnlyConfig())
    assert "Int8" in type(model.transformer_blocks[0].attn.to_k.weight).__name__
    assert all(torch.equal(weight, experts[name]) for name, weight in woven(model).items())
    assert 0 < (seen(model) - before).norm() < 0.1 * before.norm()
    load_adapter(model, tmp_path, dtype=torch.float32)
    trainable = model.train().freeze_for(1)
    model(**GIVEN.stock(), source=GIVEN.sources).sample.square().mean().backward()
    assert all(weight.grad.isfinite().all() for weight in trainable.values())


@ROUTINGS
def test_offloaded_module_by_module_it_gives_the_same(routing: str):
    """Weights lie elsewhere until their module is called, as in diffusers' sequential offloading."""
    model = tiny(2, routing=routing, dtype=torch.float32)
    before = seen(model)
    accelerate.cpu_offload(model, torch.device("cpu"))
    assert {weight.device.type for weight in model.parameters()} == {"meta"}
    with torch.no_grad():  # a tuple, as pipelines ask for it: accelerate cannot rebuild outputs of diffusers
        (after,) = model(**GIVEN.stock(), source=GIVEN.sources, return_dict=False)
    assert torch.equal(after, before)
    assert {weight.device.type for weight in model.parameters()} == {"meta"}
