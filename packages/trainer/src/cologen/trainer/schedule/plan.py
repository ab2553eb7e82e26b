"""The plan, which row at which step: a pure function of (seed, components, weights, global batch, step).

Training state is one integer. Batch ``step`` holds the samples ``step · global_batch`` … of one endless sequence:
``mixing`` says which component each comes from, and the i-th sample of a component is row ``permutation[i mod rows]``
of its epoch ``i div rows``, so that every row of a component comes once in each of its epochs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int64

from cologen.datagen.manifest import recipe_hash
from cologen.datagen.randomness import derived_seed
from cologen.trainer.schedule.mixing import Mixing
from cologen.trainer.schedule.permutation import epoch_keys, permute

PLAN_VERSION = 2
"""Part of every fingerprint: to be raised when the same plan would draw other rows."""


@dataclass(frozen=True, slots=True)
class Component:
    """Rows to draw from: ``weight`` is relative to the other components', ``fingerprint`` says which rows these are."""

    name: str
    num_rows: int
    weight: float
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Draw:
    """One sample: its place in the endless sequence, and row ``row`` of component ``component`` in its ``epoch``."""

    place: int
    component: int
    row: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Draws:
    """Samples in plan order, one array per field of ``Draw``."""

    place: Int64[np.ndarray, "draws"]
    component: Int64[np.ndarray, "draws"]
    row: Int64[np.ndarray, "draws"]
    epoch: Int64[np.ndarray, "draws"]

    def __len__(self) -> int:
        return len(self.place)

    def __iter__(self) -> Iterator[Draw]:
        columns = (self.place.tolist(), self.component.tolist(), self.row.tolist(), self.epoch.tolist())
        return (Draw(*values) for values in zip(*columns, strict=True))

    def __getitem__(self, part: slice) -> Draws:
        return Draws(self.place[part], self.component[part], self.row[part], self.epoch[part])


@dataclass(frozen=True)
class Plan:
    """The samples of every step.

    Raises:
        ValueError: no components, two of one name, one without rows, a weight that is not positive, or a batch below 1.
    """

    seed: int
    components: tuple[Component, ...]
    global_batch: int

    def __post_init__(self) -> None:
        if self.global_batch < 1:
            raise ValueError(f"global_batch must be at least 1, got {self.global_batch}")
        if not self.components:
            raise ValueError("a plan needs at least one component")
        for name, times in Counter(component.name for component in self.components).items():
            if times > 1:
                raise ValueError(f"{times} components are called {name}; each needs a name of its own")
        for component in self.components:
            if component.num_rows < 1:
                raise ValueError(f"{component.name} has no rows to draw: leave it out, or build it again")
            if not component.weight > 0:
                raise ValueError(
                    f"{component.name} has weight {component.weight}; leave it out, or give it a positive one"
                )

    def batch(self, step: int) -> Draws:
        """The global batch of ``step`` ≥ 0, in the order in which ranks share it; any step costs the same."""
        if step < 0:
            raise ValueError(f"steps count from 0, got {step}")
        prefixes = step * self.global_batch + np.arange(self.global_batch + 1, dtype=np.int64)
        counts = self.mixing.counts(prefixes)
        component = np.diff(counts).argmax(axis=0)
        num_rows = self._num_rows[component]
        epoch, place_in_epoch = np.divmod(counts[component, np.arange(self.global_batch)], num_rows)
        keys = epoch_keys(self._component_keys[component], epoch.astype(np.uint64))
        row = permute(place_in_epoch.astype(np.uint64), num_rows.astype(np.uint64), keys)
        return Draws(prefixes[:-1], component, row.astype(np.int64), epoch)

    def slice_for(self, rank: int, world_size: int, micro_batch: int = 1) -> slice:
        """The contiguous part of every global batch that belongs to ``rank``: a whole number of micro batches.

        Raises:
            ValueError: the global batch cannot be divided so.
        """
        if not 0 <= rank < world_size:
            raise ValueError(f"rank must be in [0, {world_size}), got {rank}")
        together = world_size * micro_batch
        if self.global_batch % together:
            raise ValueError(
                f"global_batch {self.global_batch} cannot be divided over {world_size} processes in micro batches of "
                f"{micro_batch}: choose a multiple of {together}, another micro_batch or another number of processes"
            )
        length = self.global_batch // world_size
        return slice(rank * length, (rank + 1) * length)

    def counts(self, num_samples: int) -> dict[str, int]:
        """How many of the first ``num_samples`` samples come from each component, by name."""
        column = self.mixing.counts(np.array([num_samples], np.int64))[:, 0].tolist()
        return {component.name: count for component, count in zip(self.components, column, strict=True)}

    def facts(self) -> dict[str, Any]:
        """All that decides the plan, as plain values: to be saved with a run, and compared when it goes on."""
        components = {component.name: asdict(component) for component in self.components}
        names = [component.name for component in self.components]
        batch = self.global_batch
        return {
            "version": PLAN_VERSION,
            "seed": self.seed,
            "global_batch": batch,
            "order": names,
            "sources": components,
        }

    def fingerprint(self) -> str:
        """A hash of ``facts``: plans with the same one draw the same rows at every step."""
        return recipe_hash(self.facts())

    @cached_property
    def mixing(self) -> Mixing:
        """Which sample comes from which component."""
        return Mixing(tuple(component.weight for component in self.components))

    @cached_property
    def _num_rows(self) -> Int64[np.ndarray, "components"]:
        return np.array([component.num_rows for component in self.components], np.int64)

    @cached_property
    def _component_keys(self) -> np.ndarray:
        return np.array([derived_seed(self.seed, "plan", component.name) for component in self.components], np.uint64)
