"""What a process knows of the others, and what cannot be asked for."""

import pytest
import torch

from cologen.model.bundle import build
from cologen.model.presets import preset
from cologen.trainer.distributed import Processes, joined, wrapped
from tests.trainer.made_up import ALONE


def test_alone_a_process_agrees_with_itself():
    assert ALONE.first
    assert ALONE.sum(1.5) == 1.5
    assert (ALONE.any(True), ALONE.any(False)) == (True, False)
    ALONE.wait()


def test_without_a_launcher_there_is_one_process(monkeypatch: pytest.MonkeyPatch):
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with joined("cpu") as processes:
        assert processes == Processes(0, 1, torch.device("cpu"))
    assert not torch.distributed.is_initialized()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_device_that_is_not_there_is_said_so():
    with pytest.raises(ValueError, match="no CUDA device on this machine: use --device cpu"), joined("cuda"):
        pass


def test_sharding_needs_checkpointing():
    model = build(preset("world-tiny")).transformer
    with pytest.raises(ValueError, match="fsdp needs gradient checkpointing: --set gradient_checkpointing=true"):
        wrapped(model, Processes(0, 2, torch.device("cpu")), "fsdp")
    assert wrapped(model, ALONE, "ddp") is model
    assert wrapped(model, ALONE, "fsdp") is model
