"""What the runs of an experiment gave: the reader's figures, held-out losses, forgetting, and the routers' choices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from types import MappingProxyType

from scipy.stats import t as students_t

from cologen.evaluation.reporting.report import RESULTS
from cologen.evaluation.reporting.results import read_results
from cologen.model.tasks import TaskName
from cologen.trainer.watchers.metrics import (
    HELD_OUT,
    METRICS,
    HeldOutMetrics,
    StepMetrics,
    read,
)
from pipelines.experiment_plan import ExperimentRun
from pipelines.experiment_steps import Evaluation, evaluations

HEADLINES: Mapping[TaskName, tuple[str, ...]] = MappingProxyType(
    {
        "inpaint": ("hidden", "l1_outside"),
        "grounding": ("marked", "iou"),
        "control": ("edge_f1", "miou"),
        "customized": ("subject", "ground"),
        "editing": ("made", "kept", "whole"),
    }
)
"""The figures that tables show, of those that the benchmark of each task has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """One run: figures by (stage, task, metric), and what its log says."""

    run: ExperimentRun
    figures: Mapping[tuple[int, str, str], float]
    losses: Mapping[str, float]
    """The held-out loss of each task after the last stage."""
    usage: Mapping[tuple[int, str], Sequence[float]]
    """By (stage, task): the share of blocks and held-out rows that chose each expert at the end of the stage."""
    samples: int
    seconds: float

    def last(self, task: str, metric: str) -> float | None:
        """A figure after the last stage."""
        return self.figures.get((len(self.run.recipe.stages) - 1, task, metric))

    def own_stage(self, task: str) -> int | None:
        """The number of the stage that trained a task; None where none did."""
        return next((i for i, stage in enumerate(self.run.recipe.stages) if task in stage.own_tasks), None)

    def own(self, task: str, metric: str) -> float | None:
        """A figure after the stage that trained the task."""
        number = self.own_stage(task)
        return None if number is None else self.figures.get((number, task, metric))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A mean over seeds, and half the width of its 95 % interval (Student's t); None of a single seed."""

    mean: float
    half_width: float | None
    values: Sequence[float] = field(default=())

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread | None:
        """Of the values that are there; None if there is none."""
        found = [value for value in values if value is not None]
        if not found:
            return None
        half = None
        if len(found) > 1:
            quantile = float(students_t.ppf(0.975, len(found) - 1))
            half = quantile * stdev(found) / sqrt(len(found))
        return cls(mean=fmean(found), half_width=half, values=found)


def figures_of(run: ExperimentRun, out: Path) -> RunFigures:
    """What one run left in its folder; what was not measured is left out."""
    folder = out / run.name
    figures: dict[tuple[int, str, str], float] = {}
    for evaluation in evaluations(run):
        figures |= _read(evaluation, out)
    ends = {each.stage: each for each in read(folder / HELD_OUT, HeldOutMetrics)}  # the last of each stage
    last = ends.get(len(run.recipe.stages) - 1)
    losses = {} if last is None else {task: loss for task, loss in last.per_task.items() if loss is not None}
    usage = {(stage, task): shares for stage, each in ends.items() for task, shares in each.usage.items()}
    steps = read(folder / METRICS, StepMetrics)
    batch = [stage.global_batch for stage in run.recipe.stages]
    return RunFigures(
        run=run,
        figures=figures,
        losses=losses,
        usage=usage,
        samples=sum(each.num_steps * batch[each.stage] for each in steps),
        seconds=sum(each.seconds for each in steps),
    )


def with_parents(runs: Sequence[RunFigures]) -> list[RunFigures]:
    """The same, where a run that begins after another has the figures and choices of the stages that it shares."""
    by_name = {each.run.name: each for each in runs}
    found: list[RunFigures] = []
    for each in runs:
        parent, last = by_name.get(each.run.parent or ""), len(each.run.recipe.stages) - 1
        if parent is None:
            found.append(each)
            continue
        figures = {at: value for at, value in parent.figures.items() if at[0] < last} | dict(each.figures)
        usage = {at: shares for at, shares in parent.usage.items() if at[0] < last} | dict(each.usage)
        found.append(replace(each, figures=figures, usage=usage))
    return found


def _read(evaluation: Evaluation, out: Path) -> dict[tuple[int, str, str], float]:
    path = evaluation.folder(out) / RESULTS
    if not path.is_file():
        return {}
    results = read_results(path)
    found = {metric: results.figure("model", metric) for metric in HEADLINES[evaluation.task]}
    return {
        (evaluation.stage, evaluation.task, metric): each.figure
        for metric, each in found.items()
        if each is not None and each.figure is not None
    }


def over_seeds(runs: Sequence[RunFigures], row: str, value: Callable[[RunFigures], float | None]) -> Spread | None:
    """A value's spread over the seeds of one row."""
    return Spread.of(value(each) for each in runs if each.run.row == row)


def rows_of(runs: Sequence[RunFigures]) -> list[str]:
    """The rows, in the order of the plan."""
    return list(dict.fromkeys(each.run.row for each in runs))


def sweeps_of(runs: Sequence[RunFigures]) -> dict[str, list[RunFigures]]:
    """The runs of each sweep, its smallest value first."""
    names = sorted({each.run.sweep for each in runs if each.run.sweep})
    return {
        name: sorted((each for each in runs if each.run.sweep == name), key=lambda each: each.run.setting)
        for name in names
    }


def forgotten(runs: Sequence[RunFigures], row: str, task: TaskName, metric: str) -> tuple[Spread, Spread] | None:
    """A task's figure after its own stage and after the last one; None where that was not measured or is the same."""
    of_row = [each for each in runs if each.run.row == row]
    if not of_row or of_row[0].own_stage(task) in (None, len(of_row[0].run.recipe.stages) - 1):
        return None
    after_own = Spread.of(each.own(task, metric) for each in of_row)
    at_the_end = Spread.of(each.last(task, metric) for each in of_row)
    return None if after_own is None or at_the_end is None else (after_own, at_the_end)
