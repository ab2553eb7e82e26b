"""Measures of samples, each with named values, to their means with bootstrap intervals: all that a small study needs.

[SaidValues(objects=1.0, places=None), SaidValues(objects=0.5, places=1.0)]
objects  mean 0.75 of 2      places  mean 1.0 of 1
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from cologen.evaluation.reporting.bootstrap import Bootstrap, ClusterSums, interval, resampled_means
from cologen.evaluation.reporting.figures import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleMean:
    """The mean of ``count`` samples that have the value; the interval is None where there is but one."""

    mean: float
    interval: Interval | None
    count: int


def sample_means(values: Sequence[Any], bootstrap: Bootstrap) -> Mapping[str, SampleMean]:
    """The means of the fields of equal dataclasses, one a sample, by name; those of a field's own fields by "a.b".

    A sample without a value (None) does not count; a field that no sample has is left out. Samples are independent:
    each is a cluster of its own.

    Raises:
        ValueError: no samples, or one that is no dataclass.
    """
    if not values or not all(is_dataclass(one) for one in values):
        raise ValueError(f"expected dataclasses of one kind, at least one, got {len(values)} values")
    rows = [dict(_numbers(one)) for one in values]
    columns = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]}
    return {name: _mean(name, column, bootstrap) for name, column in columns.items() if not np.isnan(column).all()}


def _numbers(record: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    for field in fields(record):
        value = getattr(record, field.name)
        if is_dataclass(value):
            yield from _numbers(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", np.nan if value is None else float(value)


def _mean(name: str, column: np.ndarray, bootstrap: Bootstrap) -> SampleMean:
    there = column[~np.isnan(column)]
    places, one_group = np.arange(len(there)), np.zeros(len(there), dtype=np.int64)
    sums = ClusterSums.of(there, places, one_group, num_clusters=len(there), num_groups=1)
    _, resampled = resampled_means(sums, bootstrap, name)
    around = interval(resampled, bootstrap.level) if len(there) > 1 else None
    return SampleMean(mean=float(there.mean()), interval=around, count=len(there))
