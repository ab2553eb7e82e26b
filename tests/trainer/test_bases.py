"""Bases are told apart by their numbers, not by how they are kept."""

import pytest
import torch
from safetensors.torch import save_file

from cologen.model.world_base import packaged_base
from cologen.trainer.bases import open_base
from cologen.trainer.recipes import world, world_base
from tests.trainer.made_up import ALONE


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


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torchao")
def test_quantized_it_is_the_same_base():
    pytest.importorskip("torchao.quantization")
    recipe = world().replace(quantize_base="int8")
    bundle, fingerprint = open_base(recipe, None, torch.device("cpu"))
    assert "Int8" in type(bundle.transformer.transformer_blocks[0].attn.to_k.weight).__name__
    assert fingerprint == open_base(world(), None, torch.device("cpu"))[1]
