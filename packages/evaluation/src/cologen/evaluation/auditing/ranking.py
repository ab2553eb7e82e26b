"""How well a metric ranks a ladder: the share of pairs of rungs in which it prefers the one that is less wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from cologen.datagen.randomness import generator
from cologen.evaluation.metric import Better

RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Of one metric on one ladder: the share of pairs ranked right in [0, 1], where ties count half and 0.5 is chance.

    ``low`` and ``high`` bound the middle 95 % of bootstrap resamples of the edits. ``steps`` are the same share for
    each rung against the target alone: how wrong an output must be for the metric to notice.
    """

    share: float
    low: float
    high: float
    num_edits: int
    steps: tuple[float, ...]


def share_of_pairs(values: Sequence[float], better: Better) -> float:
    """Of one ladder: ``share_of_pairs([1.0, 0.8, 0.9], "higher")`` is 2 / 3, since one pair of three is wrong."""
    rungs = np.asarray(values, dtype=np.float64) * (1 if better == "higher" else -1)
    first, second = np.triu_indices(len(rungs), k=1)
    return float(_preferred(rungs[first], rungs[second]).mean())


def ranking(ladders: Sequence[Sequence[float]], better: Better, *, key: str) -> Ranking:
    """Over the ladders of many edits, which may have fewer rungs than others; ``key`` seeds the resamples.

    Raises:
        ValueError: there is no ladder with two rungs.
    """
    long = [ladder for ladder in ladders if len(ladder) > 1]
    if not long:
        raise ValueError(f"{key}: no ladder with two rungs")
    shares = np.array([share_of_pairs(ladder, better) for ladder in long])
    draw = generator(0, "audit", key)
    means = shares[draw.integers(0, len(shares), size=(RESAMPLES, len(shares)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    most = max(map(len, long))
    return Ranking(
        share=float(shares.mean()),
        low=float(low),
        high=float(high),
        num_edits=len(long),
        steps=tuple(_noticed(long, rung, better) for rung in range(1, most)),
    )


def table(
    values: Mapping[tuple[str, str], Sequence[Sequence[float]]], better: Mapping[str, Better]
) -> dict[tuple[str, str], Ranking]:
    """The ranking of each (metric, ladder), from the values of its rungs for every edit."""
    return {
        (metric, ladder): ranking(ladders, better[metric], key=f"{metric}/{ladder}")
        for (metric, ladder), ladders in values.items()
        if any(len(each) > 1 for each in ladders)
    }


def _noticed(ladders: Sequence[Sequence[float]], rung: int, better: Better) -> float:
    sign = 1 if better == "higher" else -1
    pairs = np.array([(ladder[0], ladder[rung]) for ladder in ladders if len(ladder) > rung]) * sign
    return float(_preferred(pairs[:, 0], pairs[:, 1]).mean())


def _preferred(first: Float[np.ndarray, "pairs"], second: Float[np.ndarray, "pairs"]) -> Float[np.ndarray, "pairs"]:
    return (first > second) + 0.5 * (first == second)
