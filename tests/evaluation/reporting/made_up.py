"""Benchmarks and logs with numbers small enough to compute by hand; outputs have values without ever being pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.metric import AnyMetric, ItemMetric, Metric, SetMetric, Statistic, WithheldError
from cologen.evaluation.records import Case, Expected, Item, Need, Question
from cologen.evaluation.reporting.table import ScoreTable, read_table
from cologen.evaluation.scoring.log import ALL, OutputScore, Problem, write_part


def item(item_id: str, *, cluster: str = "", group: str = "", num_outputs: int = 1) -> Item:
    return Item(
        item_id=item_id, cluster=cluster or item_id, prompt=f"make {item_id}", group=group, num_outputs=num_outputs
    )


def metric(name: str = "clip_i", *, worst: float | None = 0.0, macro: bool = False) -> Metric:
    return Metric(
        name=name,
        title=name.upper(),
        better="higher",
        best=1.0,
        worst=worst,
        protocol="made up",
        value=_never,
        needs=(Need(network="clip", slot="output"),),
        macro=macro,
    )


def item_metric(name: str = "canny_f1", *, worst: float | None = 0.0) -> ItemMetric:
    """The sum of its outputs' numbers."""
    return ItemMetric(
        name=name,
        title=name,
        better="higher",
        best=1.0,
        worst=worst,
        protocol="made up",
        statistic=_never,
        value=lambda statistics: float(sum(each["number"][0] for each in statistics)),
    )


def set_metric(name: str = "fid", *, each_number: bool = False) -> SetMetric:
    """The product of all outputs' numbers; withheld of none."""
    return SetMetric(
        name=name,
        title=name,
        better="lower",
        best=0.0,
        protocol="made up",
        statistic=_never,
        figure=_product,
        each_number=each_number,
    )


def scored(item_id: str, output: int = 0, **values: float | None) -> OutputScore:
    return OutputScore(item_id=item_id, output=output, values=values)


def numbered(item_id: str, output: int = 0, **numbers: float) -> OutputScore:
    """With statistics, for item and set metrics."""
    return OutputScore(
        item_id=item_id, output=output, statistics={name: {"number": np.array([n])} for name, n in numbers.items()}
    )


def failed(item_id: str, output: int = 0, *, reason: str = "missing", of: str = ALL, **values: float) -> OutputScore:
    problems = {of: Problem(reason=reason, detail="made up")}
    return OutputScore(item_id=item_id, output=output, values=values, problems=problems)


def table(
    folder: Path, items: Sequence[Item], metrics: Sequence[AnyMetric], scores: Sequence[OutputScore]
) -> ScoreTable:
    """What is read of a log in two parts."""
    half = len(scores) // 2
    write_part(folder, 0, scores[:half])
    write_part(folder, 1, scores[half:])
    return read_table(folder, items, metrics)


def benchmark(items: Sequence[Item], metrics: Sequence[AnyMetric], **facts: Any) -> Benchmark:
    options = {"name": "made-up", "title": "Made up", "protocol": {"reference": "source", "dataset": "abc"}} | facts
    return Benchmark(items=items, metrics=tuple(metrics), question=_no_question, expected=_nothing, **options)


def _product(statistics: Iterable[Statistic]) -> float:
    numbers = [each["number"][0] for each in statistics]
    if not numbers:
        raise WithheldError("a product of nothing")
    return float(np.prod(numbers))


def _never(case: Case) -> float:
    raise AssertionError("reports measure nothing")


def _no_question(item: Item) -> Question:
    raise AssertionError("reports ask nothing")


def _nothing(item: Item) -> Expected:
    return Expected()
