"""How inputs pass through a network: one at a time on the CPU, in batches on a GPU, in float32 everywhere.

On the CPU a value depends on nothing but its own picture: a pass holds one picture and runs on one thread, since a sum
that is split over threads is rounded otherwise. Scoring uses further cores by further processes.
On a GPU the kernels are the deterministic ones without TF32; the size of a batch may still change the last bits.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

BATCH = 32
"""Pictures in a GPU's pass, at most."""


def passed(
    network: Callable[[Tensor], Tensor], inputs: Iterable[Tensor], device: torch.device, *, batch: int = BATCH
) -> list[np.ndarray]:
    """What ``network`` makes of each input, as float32 on the CPU; inputs are taken as they are needed.

    Inputs of one shape that follow each other share a GPU's pass.
    """
    found: list[np.ndarray] = []
    with exactly(device):
        for group in grouped(inputs, 1 if device.type == "cpu" else batch):
            outputs = network(torch.stack(group).to(device))
            found += list(outputs.to("cpu", torch.float32).numpy())
    return found


@contextmanager
def exactly(device: torch.device) -> Generator[None]:
    """No gradients, no autocast, no TF32, one thread."""
    threads = torch.get_num_threads()
    flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with torch.inference_mode(), torch.autocast(device.type, enabled=False), flags:
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def grouped(inputs: Iterable[Tensor], most: int) -> Iterator[list[Tensor]]:
    """Neighbours of one shape, at most ``most`` together, in order."""
    group: list[Tensor] = []
    for each in inputs:
        if group and (len(group) == most or group[0].shape != each.shape):
            yield group
            group = []
        group.append(each)
    if group:
        yield group
