"""A candidate's numbers to figures: pessimistic means, means over groups, and their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from cologen.evaluation.metric import AnyMetric, ItemMetric, Metric, SetMetric, WithheldError
from cologen.evaluation.reporting.bootstrap import Bootstrap, ClusterSums, interval, macro_means, resampled_means
from cologen.evaluation.reporting.figures import Counts, Figure, Interval, Mean
from cologen.evaluation.reporting.sets import set_figure
from cologen.evaluation.reporting.table import NOT_APPLICABLE, REASON_CODES, SCORED, ScoreTable, unit_of

NO_SET_INTERVAL = "a number of all outputs together: each resample would have to be computed anew"
ONE_CLUSTER = "all outputs are of one cluster"


def figures_of(table: ScoreTable, metrics: Sequence[AnyMetric], bootstrap: Bootstrap) -> tuple[Figure, ...]:
    """The figure of each metric, in their order."""
    return tuple(
        _of_set(metric, table) if isinstance(metric, SetMetric) else _of_mean(metric, table, bootstrap)
        for metric in metrics
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A metric's numbers, one a row, each an output's or an item's.

    ``scored`` is NaN where there is none; ``pessimistic`` has the metric's worst value there if that is for a problem,
    and stays NaN where the metric does not apply or has no worst value.
    """

    scored: Float64[np.ndarray, " rows"]
    pessimistic: Float64[np.ndarray, " rows"]
    clusters: Int64[np.ndarray, " rows"]
    groups: Int64[np.ndarray, " rows"]
    withheld: bool
    """Whether a row has a problem and the metric no worst value to count it as."""


def numbers_of(metric: Metric | ItemMetric, table: ScoreTable) -> Numbers:
    """The metric's numbers with the cluster and group of each."""
    layout, column = table.layout, table.columns[metric.name]
    if isinstance(metric, Metric):
        failed, items = column.codes > NOT_APPLICABLE, layout.item_of_output
    else:  # an item with one problem has no number
        failed, items = (
            np.maximum.reduceat(column.codes, layout.starts[:-1]) > NOT_APPLICABLE,
            np.arange(len(layout.items)),
        )
    worst = np.nan if metric.worst is None else metric.worst
    return Numbers(
        scored=column.values,
        pessimistic=np.where(failed, worst, column.values),
        clusters=layout.clusters[items],
        groups=layout.groups[items],
        withheld=metric.worst is None and bool(failed.any()),
    )


def _of_mean(metric: Metric | ItemMetric, table: ScoreTable, bootstrap: Bootstrap) -> Figure:
    layout, codes = table.layout, table.columns[metric.name].codes
    numbers, names = numbers_of(metric, table), layout.group_names
    macro = isinstance(metric, Metric) and metric.macro
    whole, groups, why_not = _intervals(metric.name, numbers, table, bootstrap, macro=macro)
    group_of_output = layout.groups[layout.item_of_output]
    by_group = {
        name: _mean(
            metric,
            counts_of(codes[group_of_output == number]),
            numbers.pessimistic[numbers.groups == number],
            numbers.scored[numbers.groups == number],
            groups[number],
        )
        for number, name in enumerate(names)
    }
    counts = counts_of(codes)
    if macro:
        mean = _macro(by_group, counts, whole)
    else:
        mean = _mean(metric, counts, numbers.pessimistic, numbers.scored, whole)
    return Figure(
        **mean.model_dump(),
        metric=metric.name,
        title=metric.title,
        unit=unit_of(metric),
        better=metric.better,
        best=metric.best,
        worst=metric.worst,
        macro=macro,
        protocol=metric.protocol,
        networks=_networks(metric),
        no_interval="" if mean.interval else why_not or mean.withheld,
        groups=by_group if len(names) > 1 or macro else {},
    )


def _intervals(
    name: str, numbers: Numbers, table: ScoreTable, bootstrap: Bootstrap, *, macro: bool
) -> tuple[Interval | None, list[Interval | None], str]:
    """Of the figure and of each group's, or why there is none."""
    num_groups = len(table.layout.group_names)
    sums = ClusterSums.of(
        numbers.pessimistic,
        numbers.clusters,
        numbers.groups,
        num_clusters=table.layout.num_clusters,
        num_groups=num_groups,
    ).filled()
    if len(sums.sums) < 2:
        return None, [None] * num_groups, ONE_CLUSTER
    by_group, wholes = resampled_means(sums, bootstrap, name)
    clusters_of_group = np.count_nonzero(sums.counts, axis=0)
    groups = [
        interval(by_group[:, group], bootstrap.level) if clusters_of_group[group] > 1 else None
        for group in range(num_groups)
    ]
    return interval(macro_means(by_group) if macro else wholes, bootstrap.level), groups, ""


def _mean(
    metric: Metric | ItemMetric, counts: Counts, pessimistic: np.ndarray, scored: np.ndarray, within: Interval | None
) -> Mean:
    withheld = ""
    if counts.num_problems and metric.worst is None:
        withheld = f"{with_problems(counts)}, and the metric has no worst value to count in their place"
    elif np.isnan(pessimistic).all():
        withheld = "the metric applies to no output"
    return Mean(
        counts=counts,
        figure=None if withheld else _nanmean(pessimistic),
        mean_of_scored=None if np.isnan(scored).all() else _nanmean(scored),
        withheld=withheld,
        interval=None if withheld else within,
    )


def _macro(groups: Mapping[str, Mean], counts: Counts, within: Interval | None) -> Mean:
    """The mean over groups to which the metric applies; withheld where one of them is."""
    applies = [each for each in groups.values() if each.counts.not_applicable < each.counts.expected]
    withheld = next((each.withheld for each in applies if each.figure is None), "")
    if not applies:
        withheld = "the metric applies to no output"
    scored = [each.mean_of_scored for each in applies if each.mean_of_scored is not None]
    figures = [each.figure for each in applies if each.figure is not None]
    return Mean(
        counts=counts,
        figure=None if withheld else float(np.mean(figures)),
        mean_of_scored=float(np.mean(scored)) if scored else None,
        withheld=withheld,
        interval=None if withheld else within,
    )


def _of_set(metric: SetMetric, table: ScoreTable) -> Figure:
    counts = counts_of(table.columns[metric.name].codes)
    value, withheld = None, ""
    if counts.scored:
        try:
            value = set_figure(metric, table)
        except WithheldError as error:
            withheld = str(error)
    if counts.num_problems:
        withheld = f"{with_problems(counts)}, and a figure of all outputs together needs each of them"
    elif not counts.scored:
        withheld = "the metric applies to no output"
    return Figure(
        counts=counts,
        figure=None if withheld else value,
        mean_of_scored=value,
        withheld=withheld,
        metric=metric.name,
        title=metric.title,
        unit="set",
        better=metric.better,
        best=metric.best,
        worst=None,
        macro=False,
        protocol=metric.protocol,
        networks=_networks(metric),
        no_interval=NO_SET_INTERVAL,
    )


def counts_of(codes: UInt8[np.ndarray, " outputs"]) -> Counts:
    """How many outputs have which code."""
    counted = np.bincount(codes, minlength=2 + len(REASON_CODES))
    problems = {reason: int(counted[code]) for reason, code in REASON_CODES.items() if counted[code]}
    return Counts(
        expected=len(codes),
        scored=int(counted[SCORED]),
        not_applicable=int(counted[NOT_APPLICABLE]),
        problems=problems,
    )


def with_problems(counts: Counts) -> str:
    """How many outputs have problems, in words."""
    return "1 output has a problem" if counts.num_problems == 1 else f"{counts.num_problems:,} outputs have problems"


def _nanmean(values: np.ndarray) -> float:
    return float(np.mean(values[~np.isnan(values)]))


def _networks(metric: AnyMetric) -> tuple[str, ...]:
    return tuple(dict.fromkeys(need.network for need in metric.needs))
