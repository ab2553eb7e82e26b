"""Bootstrap percentile intervals of means, whole clusters resampled.

Outputs of one source picture or subject are not independent: a resample draws clusters with replacement, as many as
there are, and takes all outputs of each. Only each cluster's sum and count are needed for that.

    sums      sums[c, g]    of the values of cluster c that are in group g
    counts    counts[c, g]  how many these are
    resample  sum_c weight[c] · sums[c] / sum_c weight[c] · counts[c], the weights multinomial
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from cologen.datagen.randomness import generator
from cologen.evaluation.reporting.figures import Interval

_BLOCK_BYTES = 2**24


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """How intervals are made: ``level`` is the share of resamples inside."""

    seed: int = 0
    resamples: int = 2000
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.resamples < 1 or not 0 < self.level < 1:
            raise ValueError(
                f"a bootstrap needs resamples of at least 1 and a level between 0 and 1, "
                f"got {self.resamples} and {self.level:g}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSums:
    """The values' sums and counts by cluster and group."""

    sums: Float64[np.ndarray, "clusters groups"]
    counts: Float64[np.ndarray, "clusters groups"]

    @classmethod
    def of(
        cls,
        values: Float64[np.ndarray, " values"],
        clusters: Int64[np.ndarray, " values"],
        groups: Int64[np.ndarray, " values"],
        *,
        num_clusters: int,
        num_groups: int,
    ) -> ClusterSums:
        """Of values, each in its cluster and group; NaN is left out."""
        there = ~np.isnan(values)
        cells, size = clusters[there] * num_groups + groups[there], num_clusters * num_groups
        shape = num_clusters, num_groups
        return cls(
            sums=np.bincount(cells, values[there], size).astype(np.float64).reshape(shape),  # of nothing it is int
            counts=np.bincount(cells, minlength=size).astype(np.float64).reshape(shape),
        )

    def filled(self) -> ClusterSums:
        """The clusters that have a value: the others cannot be drawn."""
        some = self.counts.sum(axis=1) > 0
        return ClusterSums(sums=self.sums[some], counts=self.counts[some])


def resampled_means(
    cluster_sums: ClusterSums, bootstrap: Bootstrap, *key: str
) -> tuple[Float64[np.ndarray, "resamples groups"], Float64[np.ndarray, " resamples"]]:
    """The means of each group, and of all values together, in each resample; NaN where a group was not drawn.

    Randomness is keyed by ``(seed, "bootstrap", *key)``.
    """
    num_groups = cluster_sums.sums.shape[1]
    means, wholes = np.empty((bootstrap.resamples, num_groups)), np.empty(bootstrap.resamples)
    stop = 0
    for weights in _weights(len(cluster_sums.sums), bootstrap, key):
        start, stop = stop, stop + len(weights)
        sums, counts = weights @ cluster_sums.sums, weights @ cluster_sums.counts
        means[start:stop] = _ratio(sums, counts)
        wholes[start:stop] = _ratio(sums.sum(axis=1), counts.sum(axis=1))
    return means, wholes


def macro_means(means: Float64[np.ndarray, "resamples groups"]) -> Float64[np.ndarray, " resamples"]:
    """The mean over the groups that each resample drew."""
    drawn = ~np.isnan(means)
    return _ratio(np.where(drawn, means, 0.0).sum(axis=1), drawn.sum(axis=1).astype(np.float64))


def interval(resampled: Float64[np.ndarray, " resamples"], level: float) -> Interval | None:
    """The percentile interval; None where no resample has a value."""
    there = resampled[~np.isnan(resampled)]
    if not there.size:
        return None
    low, high = np.quantile(there, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high))


def _weights(num_clusters: int, bootstrap: Bootstrap, key: tuple[str, ...]) -> Iterator[np.ndarray]:
    """How often each cluster is drawn, in blocks of resamples that fit into a few megabytes."""
    random = generator(bootstrap.seed, "bootstrap", *key)
    block = max(1, _BLOCK_BYTES // (8 * num_clusters))
    for start in range(0, bootstrap.resamples, block):
        size = min(block, bootstrap.resamples - start)
        drawn = random.integers(num_clusters, size=(size, num_clusters))
        drawn += num_clusters * np.arange(size)[:, None]
        counted = np.bincount(drawn.ravel(), minlength=size * num_clusters)
        yield counted.reshape(size, num_clusters).astype(np.float64)


def _ratio(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """NaN where nothing is counted."""
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
