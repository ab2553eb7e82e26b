"""The figure of a metric over sets: the log is streamed once for each set, so that no set is held in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator

from cologen.evaluation.metric import SetMetric, Statistic, WithheldError
from cologen.evaluation.reporting.table import Layout, ScoreTable, rows_of_log


def set_figure(metric: SetMetric, table: ScoreTable) -> float:
    """The figure of the outputs that have a statistic.

    With ``each_number`` it is the mean over outputs number 0, 1, …, each one set.

    Raises:
        WithheldError: it is not finite, or the metric cannot state it (FID of one picture).
    """
    if not metric.each_number:
        return _of_one(metric, table, None)
    most = max(item.num_outputs for item in table.layout.items)
    return math.fsum(_of_one(metric, table, number) for number in range(most)) / most


def _of_one(metric: SetMetric, table: ScoreTable, number: int | None) -> float:
    value = metric.figure(_statistics(metric, table, number))
    if not math.isfinite(value):
        raise WithheldError(f"it is {value}")
    return value


def _statistics(metric: SetMetric, table: ScoreTable, number: int | None) -> Iterator[Statistic]:
    layout: Layout = table.layout
    for _, score in rows_of_log(table.folder, layout, statistics=True):
        wanted = number is None or score.output == number
        if wanted and metric.name in score.statistics and score.problem(metric.name) is None:
            yield score.statistics[metric.name]
