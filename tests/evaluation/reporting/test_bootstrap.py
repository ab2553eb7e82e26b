"""Intervals: the fast sums give what resampling whole clusters one by one gives, from the same draws."""

from __future__ import annotations

import numpy as np
import pytest

from cologen.datagen.randomness import generator
from cologen.evaluation.reporting.bootstrap import Bootstrap, ClusterSums, interval, macro_means, resampled_means

NUM = 60
DRAW = generator(0, "values")
VALUES = DRAW.normal(size=NUM)
CLUSTERS = DRAW.integers(7, size=NUM)
GROUPS = DRAW.integers(3, size=NUM)
VALUES[5] = np.nan
BOOTSTRAP = Bootstrap(seed=3, resamples=50)


def cluster_sums() -> ClusterSums:
    return ClusterSums.of(VALUES, CLUSTERS, GROUPS, num_clusters=7, num_groups=3)


def test_resampled_means_are_those_of_the_clusters_drawn() -> None:
    means, wholes = resampled_means(cluster_sums(), BOOTSTRAP, "clip_i")
    drawn = generator(3, "bootstrap", "clip_i").integers(7, size=(50, 7))
    for resample in range(50):
        rows = np.concatenate([np.flatnonzero(cluster == CLUSTERS) for cluster in drawn[resample]])
        assert wholes[resample] == pytest.approx(np.nanmean(VALUES[rows]))
        by_group = [VALUES[rows][GROUPS[rows] == group] for group in range(3)]
        expected = [np.nanmean(each) if len(each) else np.nan for each in by_group]
        assert means[resample] == pytest.approx(expected, nan_ok=True)
        assert macro_means(means)[resample] == pytest.approx(np.nanmean(expected))


def test_each_metric_and_seed_has_draws_of_its_own() -> None:
    one = resampled_means(cluster_sums(), BOOTSTRAP, "clip_i")[1]
    assert not np.array_equal(one, resampled_means(cluster_sums(), BOOTSTRAP, "l1")[1])
    assert not np.array_equal(one, resampled_means(cluster_sums(), Bootstrap(seed=4, resamples=50), "clip_i")[1])
    np.testing.assert_array_equal(one, resampled_means(cluster_sums(), BOOTSTRAP, "clip_i")[1])


def test_the_interval_covers_the_mean_of_normal_values_as_often_as_its_level() -> None:
    """Of 200 samples of 50 clusters, each of 4 equal values: within three standard errors of 95 %, less a small-sample
    shortfall."""
    hits = 0
    for trial in range(200):
        values = np.repeat(generator(trial, "trial").normal(size=50), 4)
        clusters = np.repeat(np.arange(50), 4)
        sums = ClusterSums.of(values, clusters, np.zeros(200, dtype=np.int64), num_clusters=50, num_groups=1)
        found = interval(resampled_means(sums, Bootstrap(resamples=400), str(trial))[1], 0.95)
        assert found is not None
        hits += found.low <= 0 <= found.high
    assert 0.89 <= hits / 200 <= 0.99


def test_clusters_without_a_value_are_not_drawn() -> None:
    sums = ClusterSums.of(
        np.array([1.0, np.nan, 3.0]), np.array([0, 1, 2]), np.zeros(3, dtype=np.int64), num_clusters=3, num_groups=1
    )
    assert sums.filled().sums.tolist() == [[1.0], [3.0]]
    assert set(np.round(resampled_means(sums.filled(), BOOTSTRAP, "x")[1], 6)) <= {1.0, 2.0, 3.0}


def test_percentiles() -> None:
    found = interval(np.arange(101.0), 0.9)
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(5.0), pytest.approx(95.0))
    assert interval(np.array([np.nan]), 0.9) is None


def test_a_bootstrap_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got 0 and 0\.95"):
        Bootstrap(resamples=0)
