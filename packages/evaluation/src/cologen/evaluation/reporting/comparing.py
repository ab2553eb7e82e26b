"""Two results of one benchmark side by side, and whether their difference is more than chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cologen.evaluation.metric import Better, ItemMetric, Metric
from cologen.evaluation.reporting.bootstrap import Bootstrap, ClusterSums, interval, macro_means, resampled_means
from cologen.evaluation.reporting.figures import Figure, Interval
from cologen.evaluation.reporting.means import numbers_of
from cologen.evaluation.reporting.results import Results
from cologen.evaluation.reporting.table import ScoreTable

_DECISIVE = ("name", "fingerprint", "num_items", "num_outputs", "protocol")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A metric's figure in the second results less that in the first; None where one of them has none.

    ``incomparable`` says why the two figures measure different things, and is empty where they do not.
    """

    metric: str
    better: Better
    first: float | None
    second: float | None
    difference: float | None
    incomparable: str = ""

    @property
    def improved(self) -> bool | None:
        """Whether the second is better; None where there is no difference to judge."""
        if self.difference is None or self.difference == 0 or self.incomparable:
            return None
        return (self.difference > 0) == (self.better == "higher")


def compare(first: Results, second: Results, *, candidate: str = "model") -> tuple[Difference, ...]:
    """The metrics that both have.

    Raises:
        ValueError: they are of different benchmarks, datasets or protocols; the message names what differs.
    """
    for name in _DECISIVE:
        one, other = getattr(first.benchmark, name), getattr(second.benchmark, name)
        if one != other:
            raise ValueError(
                f"these results do not compare: {name} is {one!r} in the first and {other!r} in the second"
            )
    return tuple(
        _difference(each, other, first, second)
        for each in first.candidates.get(candidate, ())
        if (other := second.figure(candidate, each.metric)) is not None
    )


def paired_interval(
    metric: Metric | ItemMetric, first: ScoreTable, second: ScoreTable, bootstrap: Bootstrap
) -> Interval | None:
    """The interval of the difference of two candidates' figures, the same clusters drawn for both.

    None where a figure is withheld for lack of a worst value, or there is one cluster.

    Raises:
        ValueError: the tables are of different items.
    """
    if [item.item_id for item in first.layout.items] != [item.item_id for item in second.layout.items]:
        raise ValueError("the two logs are of different items: their differences cannot be paired")
    macro = isinstance(metric, Metric) and metric.macro
    sides = [numbers_of(metric, table) for table in (first, second)]
    if any(side.withheld for side in sides):
        return None
    num_groups = len(first.layout.group_names) if macro else 1
    sums = ClusterSums.of(
        np.concatenate([side.pessimistic for side in sides]),
        np.concatenate([side.clusters for side in sides]),
        np.concatenate(
            [number * num_groups + (side.groups if macro else 0 * side.groups) for number, side in enumerate(sides)]
        ),
        num_clusters=first.layout.num_clusters,
        num_groups=2 * num_groups,
    ).filled()
    if len(sums.sums) < 2:
        return None
    means, _ = resampled_means(sums, bootstrap, metric.name)
    differences = macro_means(means[:, num_groups:]) - macro_means(means[:, :num_groups])
    return interval(differences, bootstrap.level)


def _difference(one: Figure, other: Figure, first: Results, second: Results) -> Difference:
    networks = [name for name in one.networks if first.run.networks.get(name) != second.run.networks.get(name)]
    incomparable = f"other networks: {', '.join(networks)}" if networks else ""
    if one.protocol != other.protocol:
        incomparable = f"{one.protocol!r} in the first, {other.protocol!r} in the second"
    return Difference(
        metric=one.metric,
        better=one.better,
        first=one.figure,
        second=other.figure,
        difference=None if one.figure is None or other.figure is None else other.figure - one.figure,
        incomparable=incomparable,
    )
