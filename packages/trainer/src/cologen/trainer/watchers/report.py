"""``report.html``: one page about a run, from what it has logged so far; it opens without a server.

RUN/report.html    and RUN/routing/0-inpaint.svg …, the maps of blocks by experts as files of their own
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from cologen.model.bundle import Bundle
from cologen.model.files import write_atomically
from cologen.model.presets import preset
from cologen.model.tasks import TASK_NAMES
from cologen.reports.curves import curve, ordered_curves
from cologen.reports.durations import duration
from cologen.reports.heatmaps import heat_map
from cologen.reports.page import joined, page
from cologen.trainer.data.batch import LoadedStep
from cologen.trainer.distributed import Processes
from cologen.trainer.loop.learner import StepReport
from cologen.trainer.loop.time_bins import TIME_BINS
from cologen.trainer.loop.validation import Validation
from cologen.trainer.recipes.curriculum import Recipe, recipe_hash
from cologen.trainer.recipes.stages import Stage
from cologen.trainer.watchers.grids import grid_path
from cologen.trainer.watchers.held_out_section import held_out_curves, held_out_section
from cologen.trainer.watchers.metrics import (
    HELD_OUT,
    METRICS,
    ROUTING,
    HeldOutMetrics,
    RoutingMetrics,
    StepMetrics,
    read,
)
from cologen.trainer.watchers.report_notes import notes

REPORT, MAPS = "report.html", "routing"


class Reports:
    """Writes the report anew at the end of each stage; it comes after the watchers whose files it reads."""

    def __init__(self, folder: Path, recipe: Recipe, processes: Processes) -> None:
        self._folder, self._recipe, self._processes = folder, recipe, processes

    def stage_begins(self, number: int, stage: Stage, first_step: int) -> None:
        """Nothing to report yet."""

    def step_done(self, number: int, loaded: LoadedStep, report: StepReport, learning_rate: float) -> None:
        """Nothing to report yet."""

    def validated(self, found: Validation) -> None:
        """It has been logged, and is reported at the end of the stage."""

    def stage_ends(self, number: int, bundle: Bundle) -> None:
        """Write."""
        if self._processes.first:
            write_report(self._folder, self._recipe)


def write_report(folder: Path, recipe: Recipe) -> Path:
    """Write the report of the run in ``folder``, finished or not, and return its path."""
    steps, routings = read(folder / METRICS, StepMetrics), read(folder / ROUTING, RoutingMetrics)
    held_out = read(folder / HELD_OUT, HeldOutMetrics)
    (folder / MAPS).mkdir(parents=True, exist_ok=True)
    sections: list[Markup] = []
    for number in range(len(recipe.stages)):
        of_stage = [each for each in steps if each.stage == number]
        if of_stage:
            maps = _maps(recipe, number, [each for each in routings if each.stage == number])
            for name, svg in maps.items():
                write_atomically(folder / MAPS / f"{name}.svg", svg.encode())
            validations = [each for each in held_out if each.stage == number]
            sections.append(_section(folder, recipe, number, of_stage, validations, list(maps.values())))
    write_atomically(folder / REPORT, _page(recipe, steps, sections))
    return folder / REPORT


def _maps(recipe: Recipe, number: int, routings: Sequence[RoutingMetrics]) -> dict[str, Markup]:
    """A map for each task that the stage saw last, by the name of its file."""
    experts = [stage.task for stage in recipe.stages if stage.new_expert]
    last = {each.task: each for each in routings if each.task in TASK_NAMES}  # they name files
    return {
        f"{number}-{task}": Markup(
            heat_map(
                np.array(each.usage),
                experts[: recipe.num_experts(number)],
                num_double=preset(recipe.preset).transformer["num_layers"],
                title=f"Experts chosen for {task}",
            )
        )
        for task, each in last.items()
    }


def _section(
    folder: Path,
    recipe: Recipe,
    number: int,
    steps: Sequence[StepMetrics],
    validations: Sequence[HeldOutMetrics],
    maps: list[Markup],
) -> Markup:
    stage, last = recipe.stages[number], steps[-1]
    losses = [(float(each.step), each.loss) for each in steps if each.loss is not None]
    usages = [(float(each.step), each.usage) for each in steps if each.usage is not None]
    veterans = [(float(each.step), each.veteran) for each in steps if each.veteran is not None]
    figures = {"Loss (L_task)": curve(losses, end=stage.iterations, low=0.0)}
    if by_time := _by_time(steps):
        figures["Loss (L_task) by the flow time t"] = ordered_curves(by_time, end=stage.iterations, low=0.0)
    figures |= held_out_curves(validations, stage.own_tasks, stage.iterations)
    if usages and recipe.num_experts(number) > 1:
        whose = f"U_t of {stage.task}" if stage.gate_per_task else "U_t"
        title = f"{whose}, asked: ρ = {stage.gate_rho:g}" if stage.alpha else "U_t (not supervised: α = 0)"
        asked = stage.gate_rho if stage.alpha else None
        figures[title] = curve(usages, end=stage.iterations, low=0.0, high=1.0, reference=asked)
        if stage.alpha:
            gates = "α·|U_t − ρ| added up over the tasks" if stage.gate_per_task else "α·|U_t − ρ|"
            title = f"Veteran gate loss, {gates}, α = {stage.alpha:g}"
            figures[title] = curve(veterans, end=stage.iterations, low=0.0)
    if any(maps):
        figures["Routing"] = "<br>".join(maps)
    plotted = [_FIGURE.format(title=title, figure=Markup(figure)) for title, figure in figures.items()]
    done = "" if last.step == stage.iterations else _SO_FAR.format(last.step, stage.iterations)
    return _SECTION.format(
        number=number,
        task=stage.task,
        done=done,
        facts=_facts(stage, steps, sum((each.seconds for each in validations), 0.0)),
        plotted=joined(plotted),
        notes=notes(recipe, number, validations, with_maps=any(maps), with_times=bool(by_time)),
        held_out=held_out_section(folder, recipe, number, validations),
        grid=_grid(grid_path(folder, recipe, number), stage),
    )


def _by_time(steps: Sequence[StepMetrics]) -> dict[str, list[tuple[float, float]]]:
    """The points of each interval of t that has any."""
    points = {
        name: [(float(each.step), each.per_time_bin[name]) for each in steps if name in each.per_time_bin]
        for name in TIME_BINS
    }
    return {f"t {name.replace('-', '–')}": found for name, found in points.items() if found}


def _facts(stage: Stage, steps: Sequence[StepMetrics], validating: float) -> Markup:
    seconds, counted = sum(each.seconds for each in steps), sum(each.num_steps for each in steps)
    shares = [each.peak_share for each in steps if each.peak_share is not None]
    memory = max((each.gpu_memory for each in steps if each.gpu_memory is not None), default=None)
    facts = {
        "steps": f"{steps[-1].step:,}",
        "samples": f"{steps[-1].step * stage.global_batch:,}",
        "loss, first → last": f"{_number(steps[0].loss)} → {_number(steps[-1].loss)}",
        "U_t, last": _number(steps[-1].usage),
        "time": duration(seconds),
        "seconds per step": f"{seconds / counted:.3g}",
        "samples per second": f"{counted * stage.global_batch / seconds:,.1f}",
        "of the GPUs' peak": f"{100 * sum(shares) / len(shares):.1f} %" if shares else "",
        "GPU memory, most": "" if memory is None else f"{memory:.1f} GB",
        "validation": f"{validating:.1f} s" if validating else "",
        "waited for data": f"{100 * sum(each.waited for each in steps) / seconds:.1f} %",
        "steps skipped": f"{sum(each.skipped for each in steps):,}",
        "samples failed": f"{sum(each.failed for each in steps):,}",
    }
    cells = [_FACT.format(name=name, value=value) for name, value in facts.items() if value]
    tasks = [Markup("<tr><td>{}<td>{:.4f}").format(task, loss) for task, loss in steps[-1].per_task.items()]
    by_task = Markup("<table><tr><th>task<th>last loss{}</table>").format(joined(tasks)) if len(tasks) > 1 else ""
    return Markup("<div class=facts>{}</div>{}").format(joined(cells), by_task)


def _grid(path: Path, stage: Stage) -> Markup:
    if not path.exists():
        return Markup()
    return _GRID.format(data=base64.b64encode(path.read_bytes()).decode(), task=stage.task)


def _page(recipe: Recipe, steps: Sequence[StepMetrics], sections: list[Markup]) -> bytes:
    body = _BODY.format(
        preset=recipe.preset,
        side=recipe.resolution.side,
        rank=recipe.rank,
        num_done=len(sections),
        num_stages=len(recipe.stages),
        time=duration(sum((each.seconds for each in steps), 0.0)),
        hash=recipe_hash(recipe)[:12],
        seed=recipe.seed,
        curriculum=_curriculum(recipe),
        sections=joined(sections or [Markup("<p>No step has been logged yet.</p>")]),
        recipe=recipe.model_dump_json(indent=1),
    )
    return page(recipe.name, _STYLE, body)


def _curriculum(recipe: Recipe) -> Markup:
    names = ("stage", "task", "manifests", "steps", "batch", "learning rate", "ρ", "α", "expert")
    rows = [
        (
            number,
            stage.task,
            ", ".join(stage.sources),
            f"{stage.iterations:,}",
            f"{stage.global_batch:,}",
            stage.learning_rate_words + (f" (routers × {stage.router_rate:g})" if stage.router_rate != 1 else ""),
            f"{stage.rho:g}",
            f"{stage.alpha:g}" + (" (a gate for each task, with ρ = 1)" if stage.gate_per_task else ""),
            "new" if stage.new_expert else "the one before" if not stage.trains_base else "none",
        )
        for number, stage in enumerate(recipe.stages)
    ]
    head = joined([Markup("<th>{}").format(name) for name in names])
    lines = [Markup("<tr>{}").format(joined([Markup("<td>{}").format(cell) for cell in row])) for row in rows]
    return Markup("<table><tr>{}{}</table>").format(head, joined(lines))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


_SO_FAR = Markup(" <em>{:,} of {:,} steps so far</em>")
_FIGURE = Markup("<div><h3>{title}</h3>{figure}</div>")
_FACT = Markup("<div><b>{value}</b><small>{name}</small></div>")
_SECTION = Markup(
    "<section><h2>Stage {number}: {task}{done}</h2>{facts}<div class=row>{plotted}</div>{notes}"
    "{held_out}{grid}</section>"
)
_GRID = Markup(
    '<h3>Samples</h3><img src="data:image/png;base64,{data}" alt="Samples of {task}">'
    "<p><small>Of the stage's training data; generated by its moving average.</small></p>"
)
_BODY = Markup("""<p>{preset} at {side} pixels, experts of rank {rank}; {num_done} of {num_stages} stages, {time} of
training. Recipe <code>{hash}</code>, seed {seed}.</p>
{curriculum}{sections}
<details><summary>Recipe</summary><pre>{recipe}</pre></details>""")
_STYLE = Markup("""
body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:100rem;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.6rem;margin:0}h2{font-size:1.2rem;margin:0 0 .6rem}h3{font-size:.95rem;margin:1rem 0 .3rem}
section{margin:1.6rem 0;border:1px solid #8884;border-radius:10px;padding:1rem 1.2rem}
.row{display:flex;flex-wrap:wrap;gap:0 2rem;align-items:flex-start}.row>div{min-width:0}
.facts{display:flex;flex-wrap:wrap;gap:.4rem 1.6rem}.facts b{display:block;font-size:1.05rem;font-weight:600}
table{border-collapse:collapse;margin:.6rem 0}td,th{padding:.15rem .9rem .15rem 0;text-align:left}
th,small,em,code{color:#6a737d;font-weight:400}em{font-size:.9rem}
img{max-width:100%;border-radius:6px;background:#fff}pre{overflow:auto}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#dfe3e8}th,small,em,code{color:#9aa4ae}}
""")
