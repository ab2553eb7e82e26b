"""A step over two processes is the step of one: same loss, same weights after it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.multiprocessing

from cologen.model.adapters import load_adapter
from tests.model.tiny import tiny
from tests.model.two_processes import Case, process, step

pytestmark = pytest.mark.slow

CASES: list[Case] = [
    ("ddp", "sample", False),
    ("ddp", "token", True),
    ("fsdp", "sample", True),
    ("fsdp", "token", True),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All cases in one pair of processes, which speak over the loopback."""
    folder = tmp_path_factory.mktemp("two_processes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLOO_SOCKET_IFNAME", "lo")
        torch.multiprocessing.spawn(process, args=(2, folder, CASES), nprocs=2)
    return folder


@pytest.mark.parametrize("case", CASES, ids=str)
def test_two_processes_take_the_step_of_one(case: Case, results: Path):
    _, routing, checkpointed = case
    losses, weights = torch.load(results / f"{CASES.index(case)}.pt", weights_only=True)
    expected_losses, expected = step("alone", routing, checkpointed)
    assert (losses - expected_losses).abs().max() <= 1e-12
    assert weights.keys() == expected.keys()
    assert max((weights[name] - expected[name]).abs().max() for name in expected) <= 1e-12


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_wrapped_or_sharded_model_saves_its_adapter_whole(case: Case, results: Path):
    _, routing, checkpointed = case
    model = tiny(routing=routing)
    load_adapter(model, results / f"adapter-{CASES.index(case)}", dtype=torch.float64)
    _, trained = step("alone", routing, checkpointed)
    before = {name: weight for name, weight in tiny(2, routing=routing).named_parameters() if ".prw." in name}
    found = dict(model.named_parameters())
    for name, weight in {**before, **trained}.items():
        assert (found[name] - weight).abs().max() <= 1e-12, name
