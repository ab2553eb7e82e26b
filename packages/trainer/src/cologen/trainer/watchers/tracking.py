"""Logs a run's metrics: to ``metrics.jsonl`` for the report, to TensorBoard, to Weights & Biases where asked for.

These two are shown the sample grids too, so the tracker comes after the watchers that write them. Every process has a
tracker, since some of its numbers are sums over all of them; the first one writes. In TensorBoard each stage is a run
of its own under ``RUN/tensorboard``, its steps counted from its beginning.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from cologen.model.bundle import Bundle
from cologen.trainer.data.batch import LoadedStep
from cologen.trainer.distributed import Processes
from cologen.trainer.loop.learner import StepReport
from cologen.trainer.loop.validation import Validation
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.stages import Stage
from cologen.trainer.watchers.held_out_metrics import held_out_metrics, held_out_scalars
from cologen.trainer.watchers.machine import UNKNOWN, Machine
from cologen.trainer.watchers.metrics import (
    HELD_OUT,
    METRICS,
    ROUTING,
    HeldOutMetrics,
    RoutingMetrics,
    StepMetrics,
    append,
    forget_after,
    read,
)
from cologen.trainer.watchers.pictures import held_out_grid, routing_map, training_grid
from cologen.trainer.watchers.routing import Chosen, added
from cologen.trainer.watchers.sinks import TENSORBOARD, Pictures, Sink, TensorBoard, WeightsAndBiases
from cologen.trainer.watchers.window import Window, step_scalars

_ROUTING_RECORDS = 20
"""How often a stage's routing is recorded block by block."""


class Tracker:
    """Watches a run and logs it under ``folder``; on leaving the block, what is logged is on disk."""

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        processes: Processes,
        *,
        wandb: bool = False,
        fresh: bool = False,
        machine: Machine = UNKNOWN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``fresh``: whatever run is in the folder is about to be deleted.

        Raises:
            ValueError: Weights & Biases is asked for and is not installed, or would not start.
        """
        self._folder, self._recipe, self._processes = folder, recipe, processes
        self._machine, self._clock = machine, clock
        self._wandb = WeightsAndBiases(folder, recipe, fresh=fresh) if wandb and processes.first else None
        self._sinks: list[Sink] = []
        self._window, self._chosen = Window(clock()), dict[str, Chosen]()

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close_sinks()
        if self._wandb is not None:
            self._wandb.finish(failed=kind is not None)

    def stage_begins(self, number: int, stage: Stage, first_step: int) -> None:
        """Continue the stage's log after ``first_step`` steps, and delete what was logged beyond them."""
        if self._processes.first:
            self._folder.mkdir(parents=True, exist_ok=True)
            num_forgotten = forget_after(self._folder / METRICS, number, first_step)
            forget_after(self._folder / ROUTING, number, first_step)
            num_forgotten += forget_after(self._folder / HELD_OUT, number, first_step)
            self._forget_later_stages(number)
            self._close_sinks()
            if self._wandb is not None and num_forgotten:
                self._write_again(self._wandb, number)
            name = _section(number, stage.task)
            self._sinks = [TensorBoard(self._folder / TENSORBOARD / name, first_step)]
            self._sinks += [self._wandb.stage(name)] if self._wandb else []
        self._window, self._chosen = Window(self._clock()), {}

    def _forget_later_stages(self, number: int) -> None:
        for path in (self._folder / TENSORBOARD).glob("*-*"):
            if path.name.partition("-")[0].isdecimal() and int(path.name.partition("-")[0]) > number:
                shutil.rmtree(path)

    def _write_again(self, wandb: WeightsAndBiases, current: int) -> None:
        """Log everything that is still in the log to a new run, which replaces the one with deleted steps."""
        wandb.rewound()
        stages = self._recipe.stages[: current + 1]
        sinks = [wandb.stage(_section(number, stage.task)) for number, stage in enumerate(stages)]
        for metrics in read(self._folder / METRICS, StepMetrics):
            sinks[metrics.stage].write(step_scalars(metrics), metrics.step)
        for record in read(self._folder / ROUTING, RoutingMetrics):
            sinks[record.stage].show(routing_map(self._recipe, record), record.step)
        for found in read(self._folder / HELD_OUT, HeldOutMetrics):
            sinks[found.stage].write(held_out_scalars(found), found.step)
            sinks[found.stage].show(held_out_grid(self._folder, self._recipe, found.stage, found.step), found.step)
        for number, stage in enumerate(stages[:-1]):
            sinks[number].show(training_grid(self._folder, self._recipe, number), stage.iterations)

    def step_done(self, number: int, loaded: LoadedStep, report: StepReport, learning_rate: float) -> None:
        """Add a step, and log the mean when there are ``log_every``."""
        window, stage, done = self._window, self._recipe.stages[number], loaded.step + 1
        window.add(loaded, report)
        if self._processes.first:
            window.add_routing(loaded, report)
        if done % self._recipe.log_every == 0 or done == stage.iterations:
            self._log(number, done, learning_rate)
        every = max(self._recipe.log_every, stage.iterations // _ROUTING_RECORDS)
        if done % every == 0 or done == stage.iterations:
            self._log_routing(number, done)

    def validated(self, found: Validation) -> None:
        """Log it, unless it was logged before an interruption; the time it took is not that of the steps."""
        self._window.begun += found.seconds
        if not self._processes.first:
            return
        metrics = held_out_metrics(found, self._recipe.stages[found.stage].task)
        logged = {(each.stage, each.step, each.protocol) for each in read(self._folder / HELD_OUT, HeldOutMetrics)}
        if (metrics.stage, metrics.step, metrics.protocol) not in logged:
            append(self._folder / HELD_OUT, metrics)
            for sink in self._sinks:
                sink.write(held_out_scalars(metrics), metrics.step)
            self._show(held_out_grid(self._folder, self._recipe, found.stage, found.step), found.step)

    def stage_ends(self, number: int, bundle: Bundle) -> None:
        """Show what was drawn at the end."""
        self._show(training_grid(self._folder, self._recipe, number), self._recipe.stages[number].iterations)
        self._close_sinks()

    def _show(self, pictures: Pictures, step: int) -> None:
        for sink in self._sinks:
            sink.show(pictures, step)

    def _log(self, number: int, done: int, learning_rate: float) -> None:
        metrics = self._window.averaged(
            number,
            self._recipe.stages[number],
            done,
            learning_rate=learning_rate,
            now=self._clock(),
            processes=self._processes,
            machine=self._machine,
        )
        self._chosen = added(self._chosen, self._window.chosen)
        self._window = Window(self._clock())
        if self._processes.first:
            append(self._folder / METRICS, metrics)
            scalars = step_scalars(metrics)
            for sink in self._sinks:
                sink.write(scalars, done)

    def _log_routing(self, number: int, done: int) -> None:
        found = added(self._chosen, self._window.chosen)
        self._chosen, self._window.chosen = {}, {}
        for task, chosen in found.items():
            record = RoutingMetrics(
                stage=number,
                task=task,
                step=done,
                num_samples=chosen.num_samples,
                usage=chosen.usage.tolist(),
                entropy=chosen.entropy.tolist(),
                gate_weight=chosen.gate_weight.tolist(),
            )
            append(self._folder / ROUTING, record)
            self._show(routing_map(self._recipe, record), done)

    def _close_sinks(self) -> None:
        for sink in self._sinks:
            sink.close()
        self._sinks = []


def _section(number: int, task: str) -> str:
    return f"{number}-{task}"
