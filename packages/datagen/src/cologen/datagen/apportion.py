"""Splits a part's samples into kinds, so that the asked shares hold over all parts of a build together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate, combinations
from typing import TypeVar

Kind = TypeVar("Kind", bound=str)

_EPSILON = 1e-9  # a fifth of five is one whole sample


def quotas(
    feasible: Sequence[Collection[Kind]], shares: Mapping[Kind, float], first: int, shift: float
) -> dict[Kind, int]:
    """How many samples of each kind make the asked shares (they sum to 1), with as many samples as the shares allow.

    ``feasible`` says for each sample of the part which kinds it can become; ``first`` is the place of the part's first
    sample among all. Of n samples from ``first`` on, those up to the cumulative share c are
    ⌊(first + n) c⌋ − ⌊first c⌋: part by part they add up to the exact shares. Where fewer samples are usable, the parts
    do not add up exactly; ``shift``, uniform in [0, 1), then makes each part right on average.
    """
    usable = _num_usable(feasible, shares)
    shift = _EPSILON if usable == len(feasible) else shift
    cumulative = [*list(accumulate(shares.values()))[:-1], 1.0]
    up_to = [math.floor((first + usable) * share + shift) - math.floor(first * share + shift) for share in cumulative]
    return {kind: high - low for kind, low, high in zip(shares, [0, *up_to], up_to, strict=False)}


def _num_usable(feasible: Sequence[Collection[Kind]], shares: Mapping[Kind, float]) -> float:
    """The largest number of samples for which the shares can hold: each group of kinds needs that many feasible
    samples."""
    able = Counter(frozenset(kinds) for kinds in feasible)
    usable = float(len(feasible))
    for size in range(1, len(shares)):
        for group in combinations(shares, size):
            share = sum(shares[kind] for kind in group)
            if share > 0:
                usable = min(usable, sum(number for kinds, number in able.items() if kinds & set(group)) / share)
    return usable
