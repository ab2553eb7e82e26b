"""Training a stage touches that stage alone: what was learned before stays what it was, to the bit and to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from cologen.model.adapters import load_adapter, save_adapter
from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.veteran import Usage, VeteranGate
from tests.model.tiny import inputs, tiny

GIVEN = inputs()
GATE = VeteranGate(rho=0.8, alpha=0.5)


def seen(model: CoLoGenTransformer2DModel) -> Tensor:
    with torch.no_grad():
        return model.eval()(**GIVEN.stock(), source=GIVEN.sources).sample


def train(model: CoLoGenTransformer2DModel, stage: int, num_steps: int) -> None:
    """Towards zero velocity, with the veteran loss."""
    optimizer = torch.optim.AdamW(model.freeze_for(stage).values(), lr=0.02)
    torch.manual_seed(stage)
    for _ in range(num_steps):
        found = model.train()(**GIVEN.stock(), source=GIVEN.sources)
        optimizer.zero_grad()
        found.sample.square().mean().backward()
        GATE.add_gradient(model, Usage.of(found.routing))
        optimizer.step()


@pytest.mark.parametrize("routing", ["sample", "token"])
@pytest.mark.parametrize("stage", [0, 2])
def test_only_the_newest_expert_and_the_router_get_gradients(routing: str, stage: int):
    model = tiny(stage + 1, routing=routing).train()
    trainable = model.freeze_for(stage)
    found = model(**GIVEN.stock(), source=GIVEN.sources)
    found.sample.square().mean().backward()
    GATE.add_gradient(model, Usage.of(found.routing))
    expected = {
        f"{blocks}.{number}.attn.prw.{part}"
        for blocks in ("transformer_blocks", "single_transformer_blocks")
        for number in range(2)
        for part in (f"experts.{stage}.down", f"experts.{stage}.up", "router.choose", "router.disturb")
    }
    assert trainable.keys() == expected
    assert {name for name, weight in model.named_parameters() if weight.grad is not None} == expected
    for part in ("choose", "disturb") if stage else ():
        assert any(weight.grad.abs().max() > 0 for name, weight in trainable.items() if part in name)


@pytest.mark.parametrize("stage", [0, 2])
def test_another_stage_than_the_newest_is_refused(stage: int):
    with pytest.raises(ValueError, match=f"stage {stage} trains the last of {stage + 1} experts, and there are 2"):
        tiny(2).freeze_for(stage)


def test_the_stage_before_gives_what_it_gave(tmp_path: Path):
    model = tiny(1)
    train(model, 0, 3)
    first = seen(model)
    save_adapter(model, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.safetensors")}

    model.add_expert(0, dtype=torch.float64)
    model.newcomer_bias = 0.0
    train(model, 1, 8)
    second = seen(model)
    save_adapter(model, tmp_path)

    assert not torch.equal(first, second)
    assert before.keys() == {"expert-0.safetensors", "router-0.safetensors"}
    assert before == {name: (tmp_path / name).read_bytes() for name in before}
    again = tiny()
    load_adapter(again, tmp_path, stage=0)
    assert torch.equal(seen(again), first)
    load_adapter(again, tmp_path)
    assert torch.equal(seen(again), second)
