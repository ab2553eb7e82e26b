"""The results of an experiment as files: Markdown tables, dot plots, pictures, and all figures as JSON.

OUT/results.md      the tables
OUT/results.json    every figure of every run, which ``--also`` of another run takes in
OUT/plots/*.svg     one of each headline figure
OUT/pictures/*.png  of each task: source, target, and what the runs here of the first seed made of it
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from cologen.evaluation.benchmarks.catalog import open_benchmark
from cologen.evaluation.benchmarks.options import Options
from cologen.evaluation.generating.outputs import OutputFolder
from cologen.evaluation.records import ScoreError
from cologen.model.files import write_atomically
from cologen.model.tasks import TASK_NAMES, TaskName
from cologen.reports.contact_sheet import Row, contact_sheet
from cologen.reports.dots import dots
from cologen.trainer.data.world import WORLD
from pipelines.experiment_figures import HEADLINES, RunFigures, Spread, forgotten, over_seeds, rows_of
from pipelines.experiment_plan import KEEPING
from pipelines.experiment_results import write_figures
from pipelines.experiment_steps import Evaluation, Setting

MARKDOWN, FIGURES, PLOTS, PICTURES = "results.md", "results.json", "plots", "pictures"
_NUM_PICTURES = 4
_FAR = 2.0
"""The largest L1 of pictures in [-1, 1]."""


def write_report(here: Sequence[RunFigures], elsewhere: Sequence[RunFigures], setting: Setting) -> Path:
    """Write all of it; returns the path of the tables.

    Args:
        here: the runs whose folders are in ``setting.out``; pictures are of these.
        elsewhere: those of another machine.
        setting: what all of them share.
    """
    out, runs = setting.out, [*here, *elsewhere]
    for folder in (PLOTS, PICTURES):
        (out / folder).mkdir(parents=True, exist_ok=True)
    write_figures(out / FIGURES, runs, setting.identity)
    for task in TASK_NAMES:
        for metric in HEADLINES[task]:
            _plot(runs, task, metric, out / PLOTS / f"{task}-{metric}.svg")
        _pictures(here, task, setting)
    kept = [row for row in rows_of(runs) if row in KEEPING]
    of_rows = [section(runs, row) for row in kept for section in (_forgetting, _choices)]
    sections = [_after_own(runs), _after_last(runs), _losses(runs), *of_rows, _cost(runs)]
    text = "\n\n".join([f"# {setting.experiment} at scale {setting.scale}", *filter(None, sections)]) + "\n"
    write_atomically(out / MARKDOWN, text.encode())
    return out / MARKDOWN


def _after_own(runs: Sequence[RunFigures]) -> str:
    num_seeds = len({each.run.recipe.seed for each in runs})
    means = "One seed"
    if num_seeds > 1:
        means = f"Means over {num_seeds} seeds, or as many as are named, ± half of the 95 % interval (Student's t)"
    words = (
        "## After the stage of the task\n\nEach task as soon as it was trained, which is what the paper compares; a "
        f"task that a row leaves out has no figure. {means}. All are shares in [0, 1], of which higher is better, "
        "except `l1 outside` (pixels in [-1, 1], lower is better)."
    )
    return f"{words}\n\n{_figures(runs, RunFigures.own)}"


def _after_last(runs: Sequence[RunFigures]) -> str:
    words = "## After the last stage\n\nOne model for all tasks. Figures as above."
    return f"{words}\n\n{_figures(runs, RunFigures.last)}"


def _figures(runs: Sequence[RunFigures], figure: Callable[[RunFigures, str, str], float | None]) -> str:
    columns = [(task, metric) for task in TASK_NAMES for metric in HEADLINES[task]]
    head = ["", *(f"{task}: {metric.replace('_', ' ')}" for task, metric in columns)]
    rows = [[row, *(_cell(runs, row, lambda run, at=at: figure(run, *at)) for at in columns)] for row in rows_of(runs)]
    return _table(head, rows)


def _losses(runs: Sequence[RunFigures]) -> str:
    tasks = [task for task in TASK_NAMES if any(task in each.losses for each in runs)]
    if not tasks:
        return ""
    rows = [
        [row, *(_cell(runs, row, lambda run, task=task: run.losses.get(task), 4) for task in tasks)]
        for row in rows_of(runs)
    ]
    words = (
        "## Held-out losses after the last stage\n\nL_task on rows that were never trained on, at fixed times and "
        "noise; lower is better. A task that a row did not train has no figure."
    )
    return f"{words}\n\n{_table(['', *tasks], rows)}"


def _forgetting(runs: Sequence[RunFigures], row: str) -> str:
    rows: list[list[str]] = []
    for task in TASK_NAMES:
        for metric in HEADLINES[task]:
            found = forgotten(runs, row, task, metric)
            if found is not None:
                rows.append([f"{task}: {metric.replace('_', ' ')}", *(_said(each) for each in found)])
    if not rows:
        return ""
    words = f"## Forgetting: {row}\n\nEach task after its own stage, and after the last one."
    return f"{words}\n\n{_table(['', 'after its own stage', 'after the last stage'], rows)}"


def _choices(runs: Sequence[RunFigures], row: str) -> str:
    of_row = [each for each in runs if each.run.row == row and each.usage]
    if not of_row:
        return ""
    stages = of_row[0].run.recipe.stages
    rows: list[list[str]] = []
    for number, stage in enumerate(stages):
        for at, when in {number: "own", len(stages) - 1: "last"}.items():
            shares = [each.usage.get((at, stage.task), ()) for each in of_row]
            spreads = [Spread.of(_at(each, expert) for each in shares) for expert in range(len(stages))]
            rows.append([f"{stage.task}, after the {when} stage", *(_said(each, 2) for each in spreads)])
    words = (
        f"## The routers' choices: {row}\n\nThe share of blocks and held-out rows that chose each expert, which is "
        "called by the task of its stage."
    )
    return f"{words}\n\n{_table(['', *(stage.task for stage in stages)], rows)}"


def _cost(runs: Sequence[RunFigures]) -> str:
    rows = [
        [
            row,
            _said(over_seeds(runs, row, lambda run: float(run.samples)), 0),
            _said(over_seeds(runs, row, lambda run: run.seconds / 60), 1),
        ]
        for row in rows_of(runs)
    ]
    return f"## Compute\n\n{_table(['', 'samples', 'minutes'], rows)}"


def _at(values: Sequence[float], index: int) -> float | None:
    return values[index] if index < len(values) else None


def _cell(runs: Sequence[RunFigures], row: str, value: Callable[[RunFigures], float | None], digits: int = 3) -> str:
    """A row's mean over seeds; of how many, where some have none."""
    spread, num_seeds = over_seeds(runs, row, value), len({each.run.recipe.seed for each in runs})
    said = _said(spread, digits)
    if spread is None or len(spread.values) == num_seeds:
        return said
    return f"{said} ({len(spread.values)} of {num_seeds} seeds)"


def _said(spread: Spread | None, digits: int = 3) -> str:
    if spread is None:
        return "–"
    mean = f"{spread.mean:,.{digits}f}"
    return mean if spread.half_width is None else f"{mean} ± {spread.half_width:,.{digits}f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plot(runs: Sequence[RunFigures], task: str, metric: str, path: Path) -> None:
    values = {
        row: [value for each in runs if each.run.row == row and (value := each.last(task, metric)) is not None]
        for row in rows_of(runs)
    }
    found = [value for each in values.values() for value in each]
    high = min(_FAR, 1.1 * max([*found, 0.05])) if metric.startswith("l1") else 1.0
    write_atomically(path, dots(f"{task}: {metric.replace('_', ' ')}", values, low=0.0, high=high).encode())


def _pictures(runs: Sequence[RunFigures], task: TaskName, setting: Setting) -> None:
    """The first items of a task; a run without an output of it has none on the sheet."""
    first_seed = min(each.run.recipe.seed for each in runs)
    shown = [each for each in runs if each.run.recipe.seed == first_seed]
    size = shown[0].run.recipe.resolution.side
    options = Options(level=WORLD.level, size=size, edits_seed=setting.edits_seed, limit=_NUM_PICTURES)
    benchmark = open_benchmark(f"world_{task}", None, options)
    rows: list[Row] = []
    for item in benchmark.items:
        question, expected = benchmark.question(item), benchmark.expected(item)
        source = expected.source if expected.source is not None else question.pictures[0]
        pictures = {"source": source, "target": expected.target}
        for each in shown:
            last = Evaluation(each.run, task, len(each.run.recipe.stages) - 1)
            with suppress(ScoreError):  # it has none of this item
                path = OutputFolder(last.folder(setting.out) / "outputs").find(item, 0)
                with Image.open(path) as picture:
                    pictures[each.run.row] = np.asarray(picture.convert("RGB"))
        rows.append(Row({name: picture for name, picture in pictures.items() if picture is not None}, (item.prompt,)))
    contact_sheet(rows, across=1).save(setting.out / PICTURES / f"{task}.png")
