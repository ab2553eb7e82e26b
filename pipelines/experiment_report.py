"""The results of an experiment as files: Markdown tables, plots, pictures, and all figures as JSON.

OUT/results.md      the tables
OUT/results.json    every figure of every run, which ``--also`` of another run takes in
OUT/plots/*.svg     one of each headline figure, or of each sweep
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
from cologen.evaluation.benchmarks.world_tasks.measuring import MOST_L1
from cologen.evaluation.generating.outputs import OutputFolder
from cologen.evaluation.records import ScoreError
from cologen.model.files import write_atomically
from cologen.model.tasks import TASK_NAMES, TaskName
from cologen.reports.contact_sheet import Row, contact_sheet
from cologen.reports.svg_plots import curves, dots
from cologen.trainer.data.world import WORLD
from pipelines.experiment_figures import (
    HEADLINES,
    RunFigures,
    Spread,
    forgotten,
    over_seeds,
    rows_of,
    sweeps_of,
    with_parents,
)
from pipelines.experiment_plan import KEEPING
from pipelines.experiment_results import write_figures
from pipelines.experiment_steps import Evaluation, Setting

MARKDOWN, FIGURES, PLOTS, PICTURES = "results.md", "results.json", "plots", "pictures"
_NUM_PICTURES = 4
_SWEEPS = {
    "alpha": "Figure 4a: α, the weight of the veteran gate loss, in the last stage",
    "rank": "Figure 4b: the rank of all experts",
    "rho": "Figure 4c: ρ, the routing density, in the last stage",
}


def write_report(here: Sequence[RunFigures], elsewhere: Sequence[RunFigures], setting: Setting) -> Path:
    """Write all of it; returns the path of the tables.

    Args:
        here: the runs whose folders are in ``setting.out``; pictures are of these.
        elsewhere: those of another machine.
        setting: what all of them share.
    """
    out, runs = setting.out, with_parents([*here, *elsewhere])
    for folder in (PLOTS, PICTURES):
        (out / folder).mkdir(parents=True, exist_ok=True)
    write_figures(out / FIGURES, runs, setting.identity)
    for task in TASK_NAMES:
        _pictures(here, task, setting)
    sweeps = sweeps_of(runs)
    for name, each in sweeps.items():
        _curves(name, each, out / PLOTS)
    if not sweeps:
        _dots(runs, out / PLOTS)
    kept = [row for row in rows_of(runs) if row in KEEPING]
    of_rows = [section(runs, row) for row in kept for section in (_forgetting, _choices)]
    compared = [_sweep(name, each) for name, each in sweeps.items()] or [
        _after_own(runs), _after_last(runs), _losses(runs), _own_expert(runs)
    ]  # fmt: skip
    head = f"# {setting.experiment} at scale {setting.scale}\n\n{_what_is_shown(runs)}"
    text = "\n\n".join([head, *filter(None, [*compared, *of_rows, _cost(runs)])]) + "\n"
    write_atomically(out / MARKDOWN, text.encode())
    return out / MARKDOWN


def _what_is_shown(runs: Sequence[RunFigures]) -> str:
    num_seeds = len({each.run.recipe.seed for each in runs})
    means = "One seed"
    if num_seeds > 1:
        means = f"Means over {num_seeds} seeds, or as many as are named, ± half of the 95 % interval (Student's t)"
    return (
        f"{means}. All figures are shares in [0, 1], of which higher is better, except `l1 outside` (pixels in "
        "[-1, 1], lower is better)."
    )


def _after_own(runs: Sequence[RunFigures]) -> str:
    words = (
        "## After the stage of the task\n\nEach task as soon as it was trained, which is what the paper compares; a "
        "task that a row leaves out has no figure."
    )
    return f"{words}\n\n{_figures(runs, RunFigures.own)}"


def _after_last(runs: Sequence[RunFigures]) -> str:
    return f"## After the last stage\n\nOne model for all tasks.\n\n{_figures(runs, RunFigures.last)}"


def _sweep(name: str, runs: Sequence[RunFigures]) -> str:
    shared = any(each.run.parent for each in runs)
    own = "Each task right after its own stage:"
    if shared:
        own = "Each task right after its own stage; those before the last are the same for all:"
    return "\n\n".join(
        [
            f"## {_SWEEPS[name]}",
            own,
            _figures(runs, RunFigures.own),
            "After the last stage, one model for all tasks:",
            _figures(runs, RunFigures.last),
            _own_expert(runs, "###"),
        ]
    )


def _own_expert(runs: Sequence[RunFigures], level: str = "##") -> str:
    rows: list[list[str]] = []
    for row in rows_of(runs):
        experts = next(each.run.recipe.task_experts for each in runs if each.run.row == row)
        if len(experts) > 1:
            cells = [_cell(runs, row, lambda run, task=task: _share_of_own(run, task), 2) for task in TASK_NAMES]
            rows.append([row, *cells])
    if not rows:
        return ""
    words = (
        f"{level} Own experts after the last stage\n\nThe share of blocks in which held-out rows of each task choose "
        "the expert of its stage; a row with one expert has nothing to choose."
    )
    return f"{words}\n\n{_table(['', *TASK_NAMES], rows)}"


def _share_of_own(run: RunFigures, task: TaskName) -> float | None:
    expert = run.run.recipe.task_experts.get(task)
    shares = run.usage.get((len(run.run.recipe.stages) - 1, task))
    return None if expert is None or not shares else _at(shares, expert)


def _figures(runs: Sequence[RunFigures], figure: Callable[[RunFigures, str, str], float | None]) -> str:
    columns = [(task, metric) for task in TASK_NAMES for metric in HEADLINES[task]]
    head = ["", *(f"{task}: {_worded(metric)}" for task, metric in columns)]
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
                rows.append([f"{task}: {_worded(metric)}", *(_said(each) for each in found)])
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


def _curves(name: str, runs: Sequence[RunFigures], folder: Path) -> None:
    """The first headline figure of each task over the values of a sweep, after the last stage."""
    points = list(dict.fromkeys(each.run.setting for each in runs))
    staged = next((f"{each.run.setting:g}" for each in runs if each.run.same_as), None)
    values = {
        f"{task}: {_worded(metric)}": [
            _values([each for each in runs if each.run.setting == point], task, metric) for point in points
        ]
        for task, (metric, *_) in HEADLINES.items()
    }
    svg = curves(_SWEEPS[name], [f"{point:g}" for point in points], values, marked=staged)
    write_atomically(folder / f"{name}.svg", svg.encode())


def _dots(runs: Sequence[RunFigures], folder: Path) -> None:
    """Each headline figure of each row, after the last stage."""
    for task in TASK_NAMES:
        for metric in HEADLINES[task]:
            rows = {row: _values([each for each in runs if each.run.row == row], task, metric) for row in rows_of(runs)}
            found = [value for each in rows.values() for value in each]
            high = min(MOST_L1, 1.1 * max([*found, 0.05])) if metric.startswith("l1") else 1.0
            svg = dots(f"{task}: {_worded(metric)}", rows, low=0.0, high=high)
            write_atomically(folder / f"{task}-{metric}.svg", svg.encode())


def _values(runs: Sequence[RunFigures], task: str, metric: str) -> list[float]:
    return [value for each in runs if (value := each.last(task, metric)) is not None]


def _worded(metric: str) -> str:
    return metric.replace("_", " ")


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
