"""The log of a candidate as arrays: a number and a code for each output that the benchmark expects.

Outputs are in the benchmark's order: item 0's outputs, then item 1's. Memory is a few numbers for each output, and one
part of the log.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from cologen.evaluation.metric import AnyMetric, ItemMetric, Metric, Statistic
from cologen.evaluation.records import REASONS, Item, ScoreError
from cologen.evaluation.reporting.figures import Unit
from cologen.evaluation.scoring.log import OutputScore, read_log

SCORED, NOT_APPLICABLE = 0, 1
REASON_CODES = {reason: number for number, reason in enumerate(REASONS, start=2)}
"""The codes of outputs with a problem."""
NUM_EXAMPLES = 3
"""Outputs that are shown for each reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which outputs a benchmark expects; ``starts`` is each item's first row, and behind the last the number of rows.

    ``clusters`` and ``groups`` number each item's cluster and group, in the order in which they first come.
    """

    items: Sequence[Item]
    starts: Int64[np.ndarray, " items_and_end"]
    clusters: Int64[np.ndarray, " items"]
    groups: Int64[np.ndarray, " items"]
    num_clusters: int
    group_names: tuple[str, ...]

    @property
    def num_outputs(self) -> int:
        """Of all items together."""
        return int(self.starts[-1])

    def place_of(self, row: int) -> tuple[int, int]:
        """The item's number and the output's of a row."""
        place = int(np.searchsorted(self.starts, row, side="right")) - 1
        return place, row - int(self.starts[place])

    @property
    def item_of_output(self) -> Int64[np.ndarray, " outputs"]:
        """The item's number of each output."""
        return np.repeat(np.arange(len(self.items)), np.diff(self.starts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A metric's numbers.

    ``codes`` says of each output whether it is scored, does not apply, or which problem it has. ``values`` has one
    number for each output, or for each item of an ``ItemMetric`` (``unit`` says which); NaN where there is none. A
    ``SetMetric`` has none.
    """

    unit: Unit
    codes: UInt8[np.ndarray, " outputs"]
    values: Float64[np.ndarray, " outputs_or_items"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTable:
    """A candidate's whole log, without statistics; ``columns`` are by metric.

    ``examples`` are the first outputs with each reason, as ``output 0 of ball-1: no PNG``. ``num_resized`` outputs are
    of another size than what they are compared with.
    """

    folder: Path
    layout: Layout
    columns: dict[str, Column]
    examples: dict[str, list[str]]
    num_resized: int


def unit_of(metric: AnyMetric) -> Unit:
    """What the metric has one number of."""
    if isinstance(metric, Metric):
        return "output"
    return "item" if isinstance(metric, ItemMetric) else "set"


def layout_of(items: Sequence[Item]) -> Layout:
    """The rows that a benchmark's items make.

    Raises:
        ValueError: there is none, or two have the same id.
    """
    if not items:
        raise ValueError("the benchmark has no items: nothing can be reported")
    clusters: dict[str, int] = {}
    groups: dict[str, int] = {}
    seen: set[str] = set()
    for item in items:
        if item.item_id in seen:
            raise ValueError(f"two items of the benchmark have the id {item.item_id}: ids have to be unique")
        seen.add(item.item_id)
    return Layout(
        items=items,
        starts=np.cumsum([0, *(item.num_outputs for item in items)], dtype=np.int64),
        clusters=np.array([clusters.setdefault(item.cluster, len(clusters)) for item in items], dtype=np.int64),
        groups=np.array([groups.setdefault(item.group, len(groups)) for item in items], dtype=np.int64),
        num_clusters=len(clusters),
        group_names=tuple(groups),
    )


def read_table(folder: Path, items: Sequence[Item], metrics: Sequence[AnyMetric]) -> ScoreTable:
    """Read the log in ``folder`` of these metrics; outputs that it does not have are counted as ``missing``.

    Raises:
        ValueError: the log is damaged, has an output twice or out of order, one that the benchmark does not ask for,
            or one that says nothing about a metric of the benchmark.
    """
    layout = layout_of(items)
    means = [metric for metric in metrics if isinstance(metric, Metric)]
    of_items = [metric for metric in metrics if isinstance(metric, ItemMetric)]
    columns = {
        metric.name: Column(
            unit=unit_of(metric),
            codes=np.full(layout.num_outputs, REASON_CODES["missing"], dtype=np.uint8),
            values=np.full(_NUM_VALUES[unit_of(metric)](layout), np.nan),
        )
        for metric in metrics
    }
    examples: dict[str, list[str]] = {}
    absent, num_resized = np.ones(layout.num_outputs, dtype=bool), 0
    gathered = _ItemStatistics(of_items, layout, columns)
    statistics = len(means) < len(metrics)
    for row, score in rows_of_log(folder, layout, statistics=statistics):
        for metric in metrics:
            columns[metric.name].codes[row] = _code(score, metric.name, folder, needs_value=isinstance(metric, Metric))
        for metric in means:
            if (value := score.values.get(metric.name)) is not None and score.problem(metric.name) is None:
                columns[metric.name].values[row] = value
        for problem in score.problems.values():
            if len(shown := examples.setdefault(problem.reason, [])) < NUM_EXAMPLES:
                shown.append(f"output {score.output} of {score.item_id}: {problem.detail}")
        gathered.add(row, score)
        absent[row] = False
        num_resized += bool(score.resized)
    gathered.finish()
    for row in np.flatnonzero(absent)[:NUM_EXAMPLES]:
        place, output = layout.place_of(int(row))
        examples.setdefault("missing", []).append(f"output {output} of {items[place].item_id}: not in the log")
    return ScoreTable(folder=folder, layout=layout, columns=columns, examples=examples, num_resized=num_resized)


def rows_of_log(folder: Path, layout: Layout, *, statistics: bool) -> Iterator[tuple[int, OutputScore]]:
    """Each output of the log with its row, rows rising.

    Raises:
        ValueError: as ``read_table``.
    """
    numbers = {item.item_id: number for number, item in enumerate(layout.items)}
    before = -1
    for score in read_log(folder, statistics=statistics):
        named = f"{folder}: output {score.output} of {score.item_id}"
        item = numbers.get(score.item_id)
        if item is None:
            raise ValueError(f"{named} is of no item of this benchmark: was the log made with other options?")
        if not 0 <= score.output < layout.items[item].num_outputs:
            raise ValueError(f"{named}: the benchmark asks for {layout.items[item].num_outputs} of this item")
        row = int(layout.starts[item]) + score.output
        if row <= before:
            raise ValueError(f"{named} is in the log twice, or not in the benchmark's order: score again")
        before = row
        yield row, score


class _ItemStatistics:
    """Gathers the statistics of an item's outputs, and has each item metric make its value of them."""

    def __init__(self, metrics: Sequence[ItemMetric], layout: Layout, columns: dict[str, Column]) -> None:
        self._metrics, self._layout, self._columns = metrics, layout, columns
        self._item_of_output = layout.item_of_output
        self._item = -1
        self._held: dict[str, list[Statistic]] = {}

    def add(self, row: int, score: OutputScore) -> None:
        """The output in ``row``; those of one item come one after the other."""
        if (item := int(self._item_of_output[row])) != self._item:
            self.finish()
            self._item, self._held = item, {metric.name: [] for metric in self._metrics}
        for metric in self._metrics:
            if metric.name in score.statistics and score.problem(metric.name) is None:
                self._held[metric.name].append(score.statistics[metric.name])

    def finish(self) -> None:
        """The item's outputs are all there: its values, unless one of its outputs has a problem."""
        if self._item < 0:
            return
        rows = slice(int(self._layout.starts[self._item]), int(self._layout.starts[self._item + 1]))
        for metric in self._metrics:
            column = self._columns[metric.name]
            codes = column.codes[rows]
            if (codes > NOT_APPLICABLE).any() or not (codes == SCORED).any():
                continue
            try:
                value = metric.value(self._held[metric.name])
            except ScoreError as error:
                codes[codes == SCORED] = REASON_CODES[error.reason]
                continue
            if math.isfinite(value):
                column.values[self._item] = value
            else:
                codes[codes == SCORED] = REASON_CODES["not_finite"]


def _code(score: OutputScore, metric: str, folder: Path, *, needs_value: bool) -> int:
    if problem := score.problem(metric):
        if problem.reason not in REASON_CODES:
            raise ValueError(f"{folder}: {score.item_id} has a problem of the unknown reason {problem.reason!r}")
        return REASON_CODES[problem.reason]
    if metric in (score.values if needs_value else score.statistics):
        return NOT_APPLICABLE if needs_value and score.values[metric] is None else SCORED
    if metric in score.values and score.values[metric] is None:
        return NOT_APPLICABLE
    raise ValueError(
        f"{folder}: output {score.output} of {score.item_id} has neither {'value' if needs_value else 'statistic'} "
        f"nor problem for {metric}: the log was made with other metrics; score again"
    )


_NUM_VALUES: Mapping[Unit, Callable[[Layout], int]] = {
    "output": lambda layout: layout.num_outputs,
    "item": lambda layout: len(layout.items),
    "set": lambda layout: 0,
}
