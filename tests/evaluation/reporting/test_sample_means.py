"""Means of named values with intervals: samples without a value do not count."""

from dataclasses import dataclass

import pytest

from cologen.evaluation.reporting.bootstrap import Bootstrap
from cologen.evaluation.reporting.sample_means import sample_means


@dataclass(frozen=True)
class Inner:
    share: float


@dataclass(frozen=True)
class Values:
    objects: float
    places: float | None
    inner: Inner


SOME = [Values(1.0, None, Inner(0.0)), Values(0.5, 1.0, Inner(1.0)), Values(0.0, 0.0, Inner(1.0))]


def test_means_are_of_the_samples_that_have_the_value() -> None:
    found = sample_means(SOME, Bootstrap(resamples=200))
    assert (found["objects"].mean, found["objects"].count) == (0.5, 3)
    assert (found["places"].mean, found["places"].count) == (0.5, 2)
    assert found["inner.share"].mean == pytest.approx(2 / 3)
    interval = found["objects"].interval
    assert interval is not None and 0 <= interval.low < 0.5 < interval.high <= 1


def test_more_samples_give_narrower_intervals_and_the_same_ones_each_time() -> None:
    bootstrap = Bootstrap(resamples=500)
    few, many = sample_means(SOME, bootstrap)["objects"], sample_means(SOME * 30, bootstrap)["objects"]
    assert few.interval is not None and many.interval is not None
    assert many.interval.high - many.interval.low < 0.5 * (few.interval.high - few.interval.low)
    assert sample_means(SOME, bootstrap)["objects"] == few


def test_what_no_sample_has_is_left_out_and_one_sample_has_no_interval() -> None:
    found = sample_means(SOME[:1], Bootstrap(resamples=50))
    assert "places" not in found
    assert found["objects"].interval is None


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        sample_means([], Bootstrap())
