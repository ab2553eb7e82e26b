"""Bases are told apart by their numbers, not by how they are kept."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from cologen.model.gpus import GPUS
from cologen.model.presets import preset
from cologen.model.world_base import packaged_base
from cologen.trainer.dry_run.estimates import Setup, memory
from cologen.trainer.dry_run.missing import from_base
from cologen.trainer.loop import bases
from cologen.trainer.loop.bases import missing_packages, open_base
from cologen.trainer.loop.prompt_batches import FixedBatches, Offloaded
from cologen.trainer.recipes.catalog import RECIPES
from cologen.trainer.recipes.paper import cologen_flux
from cologen.trainer.recipes.world import world, world_base
from tests.model.tiny_flux import TRANSFORMER, write_flux
from tests.trainer.made_up import ALONE

SETUP = Setup(gpu=GPUS["h100"], num_gpus=1, sharded=False, utilization=0.4)


def test_a_fingerprint_is_that_of_the_numbers(tmp_path):
    bundle, fingerprint = open_base(world(), None, ALONE.device)
    assert bundle.transformer.num_experts == 0
    assert open_base(world(), packaged_base("world-tiny"), ALONE.device)[1] == fingerprint
    assert open_base(world().replace(precision="bf16"), None, ALONE.device)[1] == fingerprint  # so it was saved
    weights = {name: weight for name, weight in bundle.transformer.state_dict().items() if ".prw." not in name}
    weights["x_embedder.bias"] = weights["x_embedder.bias"] + 0.1
    save_file(weights, tmp_path / "other.safetensors")
    assert open_base(world(), tmp_path / "other.safetensors", ALONE.device)[1] != fingerprint


def test_a_base_that_is_to_be_made_begins_at_its_seed():
    first, again, other = (open_base(world_base().replace(seed=seed), None, ALONE.device)[1] for seed in (0, 0, 1))
    assert first == again != other


def test_a_recipe_that_continues_a_base_needs_one():
    recipe = RECIPES["world-base-given"]()
    with pytest.raises(FileNotFoundError, match="world-base-given continues a base: give the file of its weights"):
        open_base(recipe, None, ALONE.device)
    assert from_base(recipe, None) == ["the base that is continued: give the file of its weights as --base"]
    given = packaged_base("world-tiny")
    assert from_base(recipe, given) == []
    assert open_base(recipe, given, ALONE.device)[1] == open_base(world(), given, ALONE.device)[1]
    continued = {name for name, make in RECIPES.items() if make().continues_base}
    assert continued == {"world-base-pairs", "world-base-given", "world-base-sources"}
    with pytest.raises(ValidationError, match="in others the base is frozen"):
        world().replace(continues_base=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torchao")
@pytest.mark.parametrize(("kind", "tensor"), [("int8", "Int8"), ("nf4", "NF4")])
def test_quantized_it_is_the_same_base(kind: str, tensor: str):
    pytest.importorskip("torchao.quantization")
    recipe = world().replace(quantize_base=kind)
    bundle, fingerprint = open_base(recipe, None, torch.device("cpu"))
    assert tensor in type(bundle.transformer.transformer_blocks[0].attn.to_k.weight).__name__
    assert fingerprint == open_base(world(), None, torch.device("cpu"))[1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torchao")
def test_a_number_in_four_bits_takes_what_the_forecast_says():
    pytest.importorskip("torchao.quantization")
    weight: Any = open_base(world().replace(quantize_base="nf4"), None, ALONE.device)[0].transformer.blocks[0]
    weight = weight.ff.net[0].proj.weight
    parts, _ = weight.__tensor_flatten__()
    taken = sum(getattr(weight, part).untyped_storage().nbytes() for part in parts)
    forecast = memory(cologen_flux().replace(quantize_base="nf4"), 0, SETUP)
    whole = memory(cologen_flux(), 0, SETUP)
    assert taken / weight.numel() == pytest.approx(2 * forecast.base / whole.base, rel=0.02)


def test_packages_that_are_not_installed_are_named_before_a_base_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setattr(bases, "find_spec", lambda name: None)
    recipe = cologen_flux()
    recipe = recipe.replace(quantize_base="fp8", optimizer=recipe.optimizer.replace(eight_bit=True))
    with pytest.raises(ValueError, match=r"torchao: `uv sync --extra quantized`.*bitsandbytes: `uv sync --extra eight"):
        open_base(recipe, tmp_path / "nowhere", ALONE.device)
    assert missing_packages(cologen_flux()) == []


def test_a_base_that_trains_is_neither_quantized_nor_offloaded():
    with pytest.raises(ValueError, match="a base that trains cannot be quantized"):
        world_base().replace(quantize_base="int8")
    with pytest.raises(ValueError, match="offload_base keeps frozen blocks on the CPU, and here the base trains"):
        world_base().replace(offload_base=True, gradient_checkpointing=True)
    with pytest.raises(ValueError, match="offload_base saves nothing without gradient_checkpointing"):
        world().replace(offload_base=True)
    with pytest.raises(ValueError, match="offload_base works with neither quantize_base nor compile"):
        world().replace(offload_base=True, gradient_checkpointing=True, compile=True)


@pytest.mark.parametrize("offload", [False, True])
def test_flux_reads_prompts_in_batches_of_one_size(tmp_path, monkeypatch: pytest.MonkeyPatch, offload: bool):
    folder = write_flux(tmp_path / "flux")
    small = replace(preset("flux-dev"), transformer=TRANSFORMER | {"rank": 4}, text_tokens=32)
    monkeypatch.setattr(bases, "preset", lambda _: small)
    recipe = cologen_flux().replace(rank=4, precision="fp32", offload_text=offload)
    text = open_base(recipe, folder, ALONE.device)[0].text
    assert isinstance(text, Offloaded if offload else FixedBatches)
    assert torch.equal(text.encode(["a cat"]).embeds[0], text.encode(["", "a red cat", "a cat"]).embeds[2])
