"""Pairs that came before: the same two pictures again, to the bit or nearly so, in the same roles."""

from __future__ import annotations

import numpy as np

from cologen.datagen.pairs.likeness import Likeness, largest_change

HASH_RADIUS = 10
"""Bits of 64 by which the hashes of two pictures that look alike may differ."""


class SeenPairs:
    """The pairs of one part, in their order; each is compared with those before it.

    Two edits of one picture are no repetition, nor is a pair turned round: both pictures have to be the same in their
    roles, which is that no cell of their thumbnails differs by ``min_change`` levels.
    """

    def __init__(self, min_change: int) -> None:
        self._min_change = min_change
        self._ids: list[str] = []
        self._pairs: list[tuple[Likeness, Likeness]] = []
        self._hashes = np.empty((0, 2), dtype=np.uint64)

    def find(self, source: Likeness, target: Likeness) -> str | None:
        """The id of the first pair with the same pictures, or None."""
        wanted = np.array([source.hash, target.hash], dtype=np.uint64)
        near = np.bitwise_count(self._hashes ^ wanted).max(axis=1) <= HASH_RADIUS
        for place in np.flatnonzero(near).tolist():
            seen_source, seen_target = self._pairs[place]
            if max(largest_change(source, seen_source), largest_change(target, seen_target)) < self._min_change:
                return self._ids[place]
        return None

    def add(self, pair_id: str, source: Likeness, target: Likeness) -> None:
        """Remember a pair."""
        self._ids.append(pair_id)
        self._pairs.append((source, target))
        self._hashes = np.vstack([self._hashes, np.array([[source.hash, target.hash]], dtype=np.uint64)])
