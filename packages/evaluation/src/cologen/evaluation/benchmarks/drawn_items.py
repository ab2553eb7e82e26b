"""Items that are drawn when they are asked for, shared by the benchmarks without a dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

from cologen.evaluation.records import Item


@dataclass(frozen=True)
class DrawnItems(Sequence[Item]):
    """``num_items`` items, each made by ``make`` from its index."""

    num_items: int
    make: Callable[[int], Item]

    def __len__(self) -> int:
        return self.num_items

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        places = range(self.num_items)[index]
        return self.make(places) if isinstance(places, int) else tuple(map(self.make, places))
