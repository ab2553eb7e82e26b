"""Buckets: one size and one number of sources per global batch, and its rows, in closed form at any step.

Every row belongs to the bucket of its number of sources whose proportions are nearest to its own. Steps are a mix of
buckets as samples are of components (``mixing``), each bucket by the weight of its rows. The steps of a bucket come
from its own plan over its rows, so training state stays one integer. With a single bucket, that plan is ``Plan`` over
all rows.

The law of shares: a bucket's steps are within ``max_deviation`` of its share of all steps at every prefix, and within
a bucket every component is within its plan's ``max_deviation`` of its share of the bucket's samples. A component's
share of a bucket is its weight times the part of its rows that are there, so that over all buckets every component has
the share that was asked for, and all of its rows come equally often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int64

from cologen.datagen.control.alignment import Size
from cologen.datagen.randomness import derived_seed
from cologen.trainer.recipes.curriculum import Resolution
from cologen.trainer.schedule.mixing import Mixing
from cologen.trainer.schedule.permutation import epoch_keys, permute
from cologen.trainer.schedule.plan import Component, Draws, Plan

NUM_CANDIDATES = 8
"""Rows that are tried for one place: its own, and then its spares."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One sample to be made: its place in the stage's sequence, its component, and the rows to try for it in turn."""

    place: int
    component: int
    candidates: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """Samples to be made together, all of one size (width and height in pixels) and one number of sources."""

    size: Size
    assignments: tuple[Assignment, ...]
    num_sources: int = 1

    def __getitem__(self, part: slice) -> Work:
        return replace(self, assignments=self.assignments[part])


@dataclass(frozen=True, eq=False)
class Bucket:
    """A size and the plan over its rows.

    The plan's components are those that have rows here: ``components`` gives their numbers in the stage, and ``rows``
    the numbers of their rows, None being all of them.
    """

    size: Size
    plan: Plan
    components: tuple[int, ...]
    rows: tuple[Int64[np.ndarray, "_rows"] | None, ...]
    name: str = ""
    """What tells it from another bucket of its size."""
    num_sources: int = 1
    """Of each of its rows."""

    def work(self, step: int, first_place: int) -> Work:
        """The samples of the bucket's own ``step``, in the stage's places from ``first_place`` on."""
        draws = self.plan.batch(step)
        found = np.stack([draws.row, *self._spares(draws)], axis=1)
        for number, rows in enumerate(self.rows):
            if rows is not None:
                found[draws.component == number] = rows[found[draws.component == number]]
        drawn = enumerate(zip(draws.component.tolist(), found.tolist(), strict=True), first_place)
        assignments = (Assignment(place, self.components[number], tuple(rows)) for place, (number, rows) in drawn)
        return Work(self.size, tuple(assignments), self.num_sources)

    def _spares(self, draws: Draws) -> Int64[np.ndarray, "attempts draws"]:
        """Rows that stand in for one that fails, spread evenly: attempt k permutes the rows anew, keyed by k.

        They depend only on the place, not on failures elsewhere.
        """
        num_rows = np.array([component.num_rows for component in self.plan.components], np.uint64)[draws.component]
        epoch, index = np.divmod(draws.place.astype(np.uint64), num_rows)
        seeds = [derived_seed(self.plan.seed, "spare", attempt) for attempt in range(1, NUM_CANDIDATES)]
        keys = np.repeat(np.array(seeds, np.uint64), len(draws))
        index, num_rows, epoch = (np.tile(each, len(seeds)) for each in (index, num_rows, epoch))
        return permute(index, num_rows, epoch_keys(keys, epoch)).astype(np.int64).reshape(len(seeds), len(draws))


@dataclass(frozen=True, eq=False)
class Schedule:
    """What is to be made at every step."""

    buckets: tuple[Bucket, ...]

    @property
    def global_batch(self) -> int:
        """Samples per step."""
        return self.buckets[0].plan.global_batch

    def work(self, step: int) -> Work:
        """The global batch of ``step`` ≥ 0, in the order in which ranks share it; any step costs the same.

        Raises:
            ValueError: a step below 0.
        """
        if step < 0:
            raise ValueError(f"steps count from 0, got {step}")
        counts = self.mixing.counts(np.array([step, step + 1], np.int64))
        number = int(np.diff(counts).argmax())
        return self.buckets[number].work(int(counts[number, 0]), step * self.global_batch)

    def slice_for(self, rank: int, world_size: int, micro_batch: int) -> slice:
        """See ``Plan.slice_for``."""
        return self.buckets[0].plan.slice_for(rank, world_size, micro_batch)

    def facts(self) -> dict[str, Any]:
        """All that decides the schedule, as plain values."""
        return {"x".join(map(str, bucket.size)) + bucket.name: bucket.plan.facts() for bucket in self.buckets}

    @cached_property
    def mixing(self) -> Mixing:
        """Which step has which size."""
        return Mixing(tuple(sum(component.weight for component in bucket.plan.components) for bucket in self.buckets))


def bucket_sizes(resolution: Resolution) -> tuple[Size, ...]:
    """The sizes there are, from tall to wide: for every short side that is a multiple, the long side nearest to area.

    ``side=512, multiple=64, max_aspect=2``: (384, 704), (448, 576), (512, 512), (576, 448), (704, 384).
    """
    side, multiple = resolution.side, resolution.multiple
    found = set[Size]()
    for short in range(multiple, side + 1, multiple):
        long = multiple * round(side * side / short / multiple)
        if long <= resolution.max_aspect * short:
            found |= {(short, long), (long, short)}
    return tuple(sorted(found, key=_log_aspect))


def nearest_bucket(
    widths: Int64[np.ndarray, "rows"], heights: Int64[np.ndarray, "rows"], sizes: Sequence[Size]
) -> Int64[np.ndarray, "rows"]:
    """For each picture, the number of the size (from tall to wide) whose proportions differ by the smallest factor."""
    aspects = np.array([_log_aspect(size) for size in sizes])
    between = (aspects[1:] + aspects[:-1]) / 2
    return np.searchsorted(between, np.log(widths) - np.log(heights)).astype(np.int64)


def schedule(
    plan: Plan,
    resolution: Resolution,
    sizes_of: Sequence[tuple[Int64[np.ndarray, "_rows"], Int64[np.ndarray, "_rows"]]],
    sources_of: Sequence[Int64[np.ndarray, "_rows"]] = (),
) -> Schedule:
    """The schedule of a plan's components; ``sizes_of`` holds their rows' widths and heights, unused for one size, and
    ``sources_of`` how many sources each row has, empty where all have one.

    Rows of a bucket that cannot fill a global batch go to the nearest of as many sources that can; if none can, all to
    the largest.
    """
    sizes = bucket_sizes(resolution)
    sources_of = sources_of or [np.broadcast_to(np.int64(1), each.num_rows) for each in plan.components]
    counts = sorted(set[int]().union(*(np.flatnonzero(np.bincount(each)).tolist() for each in sources_of)))
    if len(sizes) == len(counts) == 1:
        everything = tuple(range(len(plan.components)))
        return Schedule((Bucket(sizes[0], plan, everything, (None,) * len(everything), num_sources=counts[0]),))
    by_count = {count: [np.flatnonzero(each == count) for each in sources_of] for count in counts}
    return Schedule(
        tuple(
            replace(bucket, num_sources=count, name=f" {count} sources" if count > 1 else "")
            for count, rows in by_count.items()
            for bucket in _sized(plan, sizes, sizes_of, rows)
        )
    )


def _sized(
    plan: Plan,
    sizes: Sequence[Size],
    sizes_of: Sequence[tuple[Int64[np.ndarray, "_rows"], Int64[np.ndarray, "_rows"]]],
    rows: Sequence[Int64[np.ndarray, "_some"]],
) -> list[Bucket]:
    """The buckets of some rows of each component."""
    if len(sizes) == 1:
        return [_bucket(plan, sizes[0], rows)]
    shapes = [(widths[some], heights[some]) for (widths, heights), some in zip(sizes_of, rows, strict=True)]
    counts = [np.bincount(nearest_bucket(*each, sizes), minlength=len(sizes)) for each in shapes]
    totals: list[int] = np.sum(counts, axis=0).tolist()
    enough = min(plan.global_batch, max(totals))
    kept = [size for size, total in zip(sizes, totals, strict=True) if total >= enough]
    numbers = [nearest_bucket(*each, kept) for each in shapes]
    return [
        _bucket(plan, size, [some[each == bucket] for some, each in zip(rows, numbers, strict=True)])
        for bucket, size in enumerate(kept)
    ]


def one_component_a_step(plan: Plan, size: Size) -> Schedule:
    """The schedule whose steps each hold one component alone, in the shares of their weights."""
    return Schedule(
        tuple(
            Bucket(size, replace(plan, components=(each,)), (number,), (None,), f" {each.name}" if number else "")
            for number, each in enumerate(plan.components)
        )
    )


def _bucket(plan: Plan, size: Size, rows: Sequence[Int64[np.ndarray, "_rows"]]) -> Bucket:
    held = [number for number, each in enumerate(rows) if len(each)]
    components = tuple(_part(plan.components[number], len(rows[number])) for number in held)
    return Bucket(size, replace(plan, components=components), tuple(held), tuple(rows[number] for number in held))


def _part(component: Component, num_rows: int) -> Component:
    """A component reduced to some of its rows, its weight in proportion."""
    return replace(component, num_rows=num_rows, weight=component.weight * num_rows / component.num_rows)


def _log_aspect(size: Size) -> float:
    return float(np.log(size[0]) - np.log(size[1]))
