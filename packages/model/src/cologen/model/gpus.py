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


GPUS: Mapping[str, Gpu] = MappingProxyType(
    {
        gpu.name: gpu
        for gpu in (
            Gpu(name="rtx4090", peak=165.2e12, memory=24.0),
            Gpu(name="l40s", peak=362e12, memory=48.0),
            Gpu(name="a100", peak=312e12, memory=80.0),
            Gpu(name="h100", peak=989e12, memory=80.0),
            Gpu(name="h200", peak=989e12, memory=141.0),
            Gpu(name="b200", peak=2250e12, memory=180.0),
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
