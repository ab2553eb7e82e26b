"""What training makes of the GPUs: the share of their peak that it reaches, and the memory that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from cologen.model.gpus import gpu_of_device
from cologen.trainer.distributed import Processes


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The GPUs that train, as far as they are known."""

    device: torch.device = torch.device("cpu")
    """Of this process."""
    peak: float | None = None
    """Dense bf16 operations a second of all processes' GPUs together; None on a CPU or an unknown GPU."""
    operations: Mapping[int, int] = field(default_factory=dict)
    """Of the transformer for a sample, forward and backward, by the stage's number; what checkpointing computes again
    counts too, so that the share is what the dry run's ``--utilization`` asks for."""

    def peak_share(self, stage: int, samples_per_second: float) -> float | None:
        """The share of the peak that is reached at this speed, of all processes."""
        return None if self.peak is None else self.operations[stage] * samples_per_second / self.peak

    def memory(self) -> float | None:
        """GB (10⁹) of tensors that this process has had on its GPU at most; None on a CPU."""
        return torch.cuda.max_memory_allocated(self.device) / 1e9 if self.device.type == "cuda" else None


UNKNOWN = Machine()
"""One of which nothing is known."""


def machine_of(processes: Processes, operations: Mapping[int, int]) -> Machine:
    """The GPUs of these processes, which are all of one kind."""
    device = processes.device
    gpu = gpu_of_device(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
    return Machine(device=device, peak=gpu and gpu.peak * processes.size, operations=operations)
