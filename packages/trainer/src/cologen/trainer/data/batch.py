"""A micro batch in pixels: what loading hands to the loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from cologen.model.conditions import HOLE
from cologen.trainer.distributed import Processes

Pictures = UInt8[Tensor, "batch 3 height width"]
"""RGB in [0, 255]: bytes are passed between processes, floats are made on the device."""
Mask = UInt8[Tensor, "batch 1 height width"]
"""1 where the target has to be generated, 0 elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Samples of one size, in plan order.

    ``source`` is None where a base is trained on text alone. ``mask`` is 1 where the target has to be generated:
    everywhere in tasks without a mask. ``places`` are the samples' positions in the stage's endless sequence, by which
    their random numbers are keyed. ``more_sources`` are each sample's second source, third one and so on.
    """

    source: Pictures | None
    target: Pictures
    mask: Mask
    prompts: tuple[str, ...]
    tasks: tuple[str, ...]
    places: tuple[int, ...]
    more_sources: tuple[Pictures, ...] = ()

    @property
    def sources(self) -> tuple[Pictures, ...]:
        """All sources, the first one first."""
        return () if self.source is None else (self.source, *self.more_sources)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, part: slice) -> Batch:
        return Batch(
            source=None if self.source is None else self.source[part],
            target=self.target[part],
            mask=self.mask[part],
            prompts=self.prompts[part],
            tasks=self.tasks[part],
            places=self.places[part],
            more_sources=tuple(each[part] for each in self.more_sources),
        )

    def to(self, device: torch.device) -> Batch:
        """The same with its pictures on ``device``."""
        source = None if self.source is None else self.source.to(device, non_blocking=True)
        target, mask = (each.to(device, non_blocking=True) for each in (self.target, self.mask))
        more = tuple(each.to(device, non_blocking=True) for each in self.more_sources)
        return replace(self, source=source, target=target, mask=mask, more_sources=more)


def named_sources(batch: Batch) -> dict[str, Pictures]:
    """The sources as a grid shows them: "source", "source 2" and so on."""
    return {f"source {number}" if number > 1 else "source": each for number, each in enumerate(batch.sources, 1)}


def together(batches: Sequence[Batch]) -> Batch:
    """The samples of several batches, all of one size and one number of sources, as one."""
    sources = [batch.source for batch in batches if batch.source is not None]
    return Batch(
        source=torch.cat(sources) if sources else None,
        target=torch.cat([batch.target for batch in batches]),
        mask=torch.cat([batch.mask for batch in batches]),
        prompts=tuple(prompt for batch in batches for prompt in batch.prompts),
        tasks=tuple(task for batch in batches for task in batch.tasks),
        places=tuple(place for batch in batches for place in batch.places),
        more_sources=tuple(map(torch.cat, zip(*(batch.more_sources for batch in batches), strict=True))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedStep:
    """The loaded data of one step of this process."""

    step: int
    micro_batches: tuple[Batch, ...]
    num_failed: int
    """Samples of this process that could not be loaded and were replaced."""
    waited: float
    """Seconds that the loop waited for it."""
    next_prompts: tuple[str, ...] = ()
    """Prompts that the next step will most likely have; only where they can be read ahead."""


@runtime_checkable
class StageData(Protocol):
    """The samples of one stage."""

    def facts(self) -> dict[str, Any]:
        """Everything that decides which samples come when: saved with a run, and compared when it continues."""
        ...

    def steps(self, first_step: int, processes: Processes) -> Iterator[LoadedStep]:
        """This process's micro batches from ``first_step`` to the end of the stage."""
        ...


def holed(batch: Batch) -> Float[Tensor, "batch 3 height width"]:
    """The targets in [-1, 1] with the hole in grey, as Fill bases read them."""
    return torch.where(batch.mask > 0, HOLE, signed(batch.target))


def signed(pictures: Pictures) -> Float[Tensor, "batch 3 height width"]:
    """RGB in [-1, 1], as codecs read it."""
    return pictures.div(127.5).sub_(1)
