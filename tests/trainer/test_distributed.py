"""What a process knows of the others, and what cannot be asked for."""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
from datetime import timedelta
from multiprocessing.queues import SimpleQueue

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
    with (
        pytest.raises(ValueError, match="no CUDA device cuda:0 on this machine, which has 0: use --device cpu"),
        joined("cuda"),
    ):
        pass


def test_sharding_needs_checkpointing():
    model = build(preset("world-tiny")).transformer
    with pytest.raises(ValueError, match="fsdp needs gradient checkpointing: --set gradient_checkpointing=true"):
        wrapped(model, Processes(0, 2, torch.device("cpu")), "fsdp")
    assert wrapped(model, ALONE, "ddp") is model
    assert not list(model.buffers()), "DistributedDataParallel would send them around before every forward pass"
    assert wrapped(model, ALONE, "fsdp") is model


def _wait_for_the_first(rank: int, port: str, case: str, said: SimpleQueue[tuple[int, str]]) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}

    def work() -> None:
        if case == "fails":
            raise ValueError("no room for the data")
        time.sleep(float(case))

    try:
        with joined("cpu", timedelta(seconds=5)) as processes:
            processes.first_does(work, "building data")
        said.put((rank, "done"))
    except (ValueError, RuntimeError) as error:
        said.put((rank, str(error)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "first", "other"),
    [
        ("0", "done", "done"),
        ("fails", "no room for the data", "process 1 ends: the first one failed building data"),
        ("12", "", "waited for the first one, which was building data"),
    ],
)
def test_others_wait_for_the_first_so_long_and_no_longer(case: str, first: str, other: str):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    context = multiprocessing.get_context("fork")  # torch is imported already
    said: SimpleQueue[tuple[int, str]] = context.SimpleQueue()
    both = [context.Process(target=_wait_for_the_first, args=(rank, port, case, said)) for rank in range(2)]
    for process in both:
        process.start()
    found = dict(said.get() for _ in both)
    for process in both:
        process.join()
    assert first in found[0]
    assert other in found[1]
