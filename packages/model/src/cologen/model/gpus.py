"""The GPUs whose memory and speed a forecast knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A kind of GPU, by its data sheet: ``peak`` is dense bf16 operations a second, ``memory`` in GB (10⁹)."""

    name: str
    peak: float
    memory: float
    devices: frozenset[str]
    """The names that its driver gives to it, in those variants that reach ``peak``."""


def _named(*names: str) -> frozenset[str]:
    return frozenset(f"NVIDIA {name}" for name in names)


_A100 = _named("A100-SXM4-80GB", "A100-SXM4-40GB", "A100 80GB PCIe", "A100-PCIE-40GB")

GPUS: Mapping[str, Gpu] = MappingProxyType(
    {
        gpu.name: gpu
        for gpu in (
            Gpu(name="rtx4090", peak=165.2e12, memory=24.0, devices=_named("GeForce RTX 4090")),
            Gpu(name="l40s", peak=362e12, memory=48.0, devices=_named("L40S")),
            Gpu(name="a100", peak=312e12, memory=80.0, devices=_A100),
            Gpu(name="h100", peak=989e12, memory=80.0, devices=_named("H100 80GB HBM3")),
            Gpu(name="h200", peak=989e12, memory=141.0, devices=_named("H200")),
            Gpu(name="b200", peak=2250e12, memory=180.0, devices=_named("B200")),
        )
    }
)
"""By name; of those that come in several sizes, the largest SXM."""


def gpu_named(name: str) -> Gpu:
    """The GPU of that name.

    Raises:
        ValueError: its numbers are not known.
    """
    if name not in GPUS:
        raise ValueError(f"no GPU is called {name!r}: expected one of {', '.join(GPUS)}")
    return GPUS[name]


def gpu_of_device(device_name: str) -> Gpu | None:
    """The GPU that CUDA calls by this name; None for one that is not known, or is a variant or a part of one."""
    return next((gpu for gpu in GPUS.values() if device_name in gpu.devices), None)
