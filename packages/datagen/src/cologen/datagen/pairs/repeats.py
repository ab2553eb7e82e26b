"""Repeated pairs: the same two pictures, equal or nearly so, in the same roles.

A pair repeats another when no cell of their thumbnails differs by ``min_change`` levels, source by source and target by
target; two edits of one picture are no repetition, nor is a pair turned round. Whether a pair is rejected depends on
all pairs before it, rejected or not, so every part of a dataset can decide alone, in any order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import UInt64
from pydantic import BaseModel, ConfigDict, Field

from cologen.datagen.pairs.likeness import Likeness, largest_change

Role = Literal[0, 1]
"""Of a picture in its pair: 0 the source, 1 the target."""

Hashes = UInt64[np.ndarray, "2 pairs"]
"""The hashes of all pairs in their order, those of the sources and below them those of the targets."""


class RepeatPolicy(BaseModel):
    """Which pairs are compared."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    hash_radius: int = Field(default=10, ge=0, le=64)
    """Bits of 64 by which the hashes of two pictures that look alike may differ."""
    num_compared: int = Field(default=32, ge=1)
    """With how many earlier pairs one is compared at most, where that many have hashes like its own."""


def lookalikes(hashes: Hashes, place: int, policy: RepeatPolicy) -> list[int]:
    """The places before ``place`` with both hashes like those there: the nearest first, and of these the earliest."""
    (sources, targets), radius = hashes, policy.hash_radius
    near = np.flatnonzero(np.bitwise_count(sources[:place] ^ sources[place]) <= radius)
    near = near[np.bitwise_count(targets[near] ^ targets[place]) <= radius]
    bits = np.bitwise_count(hashes[:, near] ^ hashes[:, [place]]).sum(axis=0)
    return near[np.argsort(bits, kind="stable")[: policy.num_compared]].tolist()


def repeated(
    hashes: Hashes, place: int, look: Callable[[int, Role], Likeness], policy: RepeatPolicy, min_change: int
) -> int | None:
    """The place of an earlier pair that the one at ``place`` repeats, or None; ``look`` shows a pair's picture.

    Targets are compared first: the edits of one picture all have its source.
    """
    roles: tuple[Role, Role] = (1, 0)
    for earlier in lookalikes(hashes, place, policy):
        if all(largest_change(look(place, role), look(earlier, role)) < min_change for role in roles):
            return earlier
    return None
