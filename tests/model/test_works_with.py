"""What people do to a FLUX, they can do to this one: LoRAs, backends, bf16, quantization, offloading, …"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch
from diffusers import FluxTransformer2DModel
from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES
from diffusers.models.attention_dispatch import _AttentionBackendRegistry as dispatch
from peft import LoraConfig
from torch import Tensor

from cologen.model.adapters import load_adapter, save_adapter
from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.pipeline import CoLoGenPipeline
from tests.model.test_pipeline import around, edited, folder, fresh, quiet, seeded, transformer_of, world
from tests.model.tiny import SHAPE, inputs, tiny

__all__ = ["folder", "fresh", "world"]

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


@pytest.mark.slow
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


def test_an_attention_backend_is_of_one_model_alone():
    """Diffusers sets it for the process, so that the bits of every later model depended on an earlier one."""
    before = dispatch.get_active_backend()
    tiny(2).set_attention_backend("_native_math")
    assert dispatch.get_active_backend() == before
    with pytest.raises(ValueError, match="no_such"):
        tiny(2).set_attention_backend("no_such")


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


def gradients(model: CoLoGenTransformer2DModel) -> dict[str, Tensor]:
    """Of the newest expert and the routers, with the routers' noise as seed 0 draws it."""
    trainable = model.train().freeze_for(model.num_experts - 1)
    noise = torch.randn(3, model.num_blocks, model.num_experts, generator=seeded())
    found = model(**GIVEN.stock(), source=GIVEN.sources, routing_noise=noise).sample
    found.square().mean().backward()
    return {name: weight.grad.clone() for name, weight in trainable.items() if weight.grad is not None}


def test_layerwise_casting_rounds_the_base_and_leaves_the_experts_alone():
    model, twin = tiny(2, dtype=torch.float32), tiny(2, dtype=torch.float32)
    model.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)
    stored = {name for name, weight in model.named_parameters() if weight.dtype == torch.float8_e4m3fn}
    assert "transformer_blocks.0.attn.to_k.weight" in stored
    assert not any(".prw." in name for name in stored)
    for name, weight in twin.named_parameters():
        if name in stored:
            weight.data = weight.data.to(torch.float8_e4m3fn).float()
    assert torch.equal(seen(model), seen(twin))
    found, expected = gradients(model), gradients(twin)
    assert found
    assert all(torch.equal(found[name], gradient) for name, gradient in expected.items())
    assert {name for name, weight in model.named_parameters() if weight.dtype == torch.float8_e4m3fn} == stored


@pytest.mark.parametrize("options", [{"variant": "fp16"}, {"max_shard_size": "4KB"}, {"safe_serialization": False},
                                     {"variant": "fp16", "max_shard_size": "4KB"}], ids=str)  # fmt: skip
def test_it_comes_back_from_every_form_of_file(options: dict[str, Any], tmp_path: Path):
    model = tiny(2, dtype=torch.float32)
    model.save_pretrained(tmp_path, **options)
    assert len(list(tmp_path.iterdir())) == 2 or "max_shard_size" in options
    again = CoLoGenTransformer2DModel.from_pretrained(tmp_path, variant=options.get("variant"))
    assert torch.equal(seen(again), seen(model))
    if "variant" in options:
        with pytest.raises(OSError, match="no file named"):
            CoLoGenTransformer2DModel.from_pretrained(tmp_path)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_read_in_a_lower_precision_the_routers_stay_in_float32(dtype: torch.dtype, tmp_path: Path):
    model = tiny(2, dtype=torch.float32)
    model.save_pretrained(tmp_path)
    rough = CoLoGenTransformer2DModel.from_pretrained(tmp_path, dtype=dtype)
    assert rough.dtype == dtype
    for name, weight in rough.named_parameters():
        expected = model.get_parameter(name)
        assert torch.equal(weight, expected if ".router." in name else expected.to(dtype)), name
    given = inputs(dtype=dtype)
    found = rough(**given.stock(), source=given.sources).sample
    assert found.dtype == dtype
    assert (found - seen(model)).norm() < 0.1 * seen(model).norm()


def test_the_same_call_gives_the_same_as_a_record_and_as_a_tuple():
    model = tiny(2, dtype=torch.float32)
    with torch.no_grad():
        record = model(**GIVEN.stock(), source=GIVEN.sources)
        (sample,) = model(**GIVEN.stock(), source=GIVEN.sources, return_dict=False)
    assert torch.equal(sample, record.sample)
    assert record.to_tuple()[0] is record.sample is record["sample"]


def test_a_single_file_is_read_as_a_folder_is(tmp_path: Path):
    """FLUX's without experts, and our own with them."""
    stock, ours = FluxTransformer2DModel(**SHAPE).eval(), tiny(2, dtype=torch.float32)
    for model, name in ((stock, "stock"), (ours, "ours")):
        model.save_pretrained(tmp_path / name)
        file = tmp_path / name / "diffusion_pytorch_model.safetensors"
        again = CoLoGenTransformer2DModel.from_single_file(str(file), config=str(tmp_path / name))
        assert type(again) is CoLoGenTransformer2DModel
        assert torch.equal(again(**GIVEN.stock()).sample, model(**GIVEN.stock()).sample)
    assert torch.equal(seen(again), seen(ours))


def test_a_single_file_has_no_experts_beyond_those_it_holds(tmp_path: Path):
    FluxTransformer2DModel(**SHAPE).save_pretrained(tmp_path / "stock")
    tiny(2, dtype=torch.float32).save_pretrained(tmp_path / "ours")
    file = str(tmp_path / "stock" / "diffusion_pytorch_model.safetensors")
    read: Any = CoLoGenTransformer2DModel.from_single_file
    with pytest.raises(ValueError, match="takes no num_experts: read it with num_experts=0, and let experts join"):
        read(file, config=str(tmp_path / "stock"), num_experts=2)
    with pytest.raises(ValueError, match="the file does not hold the weights that its config names"):
        read(file, config=str(tmp_path / "ours"))
    model = read(file, config=str(tmp_path / "ours"), num_experts=0)
    assert model.num_experts == 0
    assert model.add_expert(0) == 0


def test_an_original_file_has_no_experts_whatever_the_config_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """FLUX's own format is told by its names; what is made of it here is the stock transformer."""
    stock = FluxTransformer2DModel(**SHAPE)
    tiny(1, dtype=torch.float32).save_pretrained(tmp_path)
    monkeypatch.setitem(
        SINGLE_FILE_LOADABLE_CLASSES["FluxTransformer2DModel"],
        "checkpoint_mapping_fn",
        lambda checkpoint, **_: dict(stock.state_dict()),
    )
    read: Any = CoLoGenTransformer2DModel.from_single_file
    with pytest.raises(ValueError, match="the file does not hold the weights that its config names"):
        read({"double_blocks.0.img_attn.norm.key_norm.scale": torch.zeros(1)}, config=str(tmp_path))


def test_a_pipeline_offloaded_in_groups_draws_the_same(fresh: CoLoGenPipeline, tmp_path: Path):
    """On a disk, so that weights which are not brought back are missing on a CPU too.

    T5 is left out: its tied embeddings come back wrong in stock FLUX as well.
    """
    expected = edited(around(fresh, transformer_of()), output_type="pt")
    fresh.save_pretrained(tmp_path / "base")
    ours = quiet(CoLoGenPipeline.from_pretrained(tmp_path / "base", transformer=transformer_of()))
    ours.enable_group_offload(
        torch.device("cpu"),
        offload_type="leaf_level",
        offload_to_disk_path=str(tmp_path / "disk"),
        exclude_modules=["text_encoder_2"],
    )
    for _ in range(2):
        torch.testing.assert_close(edited(ours, output_type="pt"), expected, rtol=0, atol=1e-5)


def test_a_word_learned_by_textual_inversion_is_read(folder: Path, world: CoLoGenPipeline):
    learned = {"<toy>": torch.full((16,), 3.0)}
    ours = around(quiet(CoLoGenPipeline.from_pretrained(folder)), transformer_of())
    pooled = ours.encode_prompt("a <toy>", max_sequence_length=16)[1]
    ours.load_textual_inversion(learned, token="<toy>")
    assert not torch.equal(ours.encode_prompt("a <toy>", max_sequence_length=16)[1], pooled)
    assert edited(ours, prompt="a <toy>").isfinite().all()
    with pytest.raises(ValueError, match=r"requires `self\.tokenizer`"):
        world.load_textual_inversion(learned, token="<toy>")
