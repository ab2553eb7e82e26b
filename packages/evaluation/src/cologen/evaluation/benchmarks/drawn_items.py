"""Items and edits that are drawn when they are asked for, shared by the benchmarks without a dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

from cologen.datagen.world.edits import EDIT_KINDS, Edit, edit
from cologen.datagen.world.levels import LevelName
from cologen.datagen.world.scene import sample_scene
from cologen.evaluation.records import Item

_SCENES_PER_ITEM = 64
"""Scenes that may be tried for an item: not every scene allows every kind of edit."""


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


def edit_in_turn(seed: int, index: int, level: LevelName) -> Edit:
    """The edit of item ``index``, of the kind whose turn it is, of the first of the item's scenes that allows it.

    Raises:
        RuntimeError: none of them does, of which no case is known.
    """
    kind = EDIT_KINDS[index % len(EDIT_KINDS)]
    scenes = (sample_scene(seed, index * _SCENES_PER_ITEM + attempt, level) for attempt in range(_SCENES_PER_ITEM))
    found = next((made for scene in scenes if (made := edit(scene, kind, seed)) is not None), None)
    if found is None:
        raise RuntimeError(f"no scene of seed {seed}, item {index} allows the edit {kind!r}: take another seed")
    return found
