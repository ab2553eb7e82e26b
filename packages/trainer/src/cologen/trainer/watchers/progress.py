"""Progress of a run: a live line per stage on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Column

from cologen.model.bundle import Bundle
from cologen.reports.durations import duration
from cologen.trainer.data.batch import LoadedStep
from cologen.trainer.loop.learner import StepReport
from cologen.trainer.loop.validation import Validation
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.stages import Stage
from cologen.trainer.watchers.machine import UNKNOWN, Machine

_RECENT_SECONDS = 30.0
"""Over which the speed is measured."""

_ROOM_FOR_BAR = 120
"""The width of the terminal, in characters, from which on there is a bar."""


class LiveProgress:
    """Shows stage, step, loss, U_t, speed, what the GPU is used for, the share of the time that this process waited for
    data, and the time that is left: of the stage, and of all ``stages``.

    For the first process only. All other output has to go to the same console meanwhile.
    """

    def __init__(
        self,
        recipe: Recipe,
        stages: Sequence[int],
        console: Console,
        *,
        machine: Machine = UNKNOWN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``stages``: the numbers of those that this run trains."""
        self._recipe, self._stages, self._console = recipe, tuple(stages), console
        self._machine, self._clock = machine, clock
        self._live = _bar(console)
        self._shown: dict[int, TaskID] = {}
        self._recent: deque[tuple[float, int, float]] = deque()
        """Of some steps: when they ended, how many were done, and seconds waited for data so far."""
        self._begun = 0.0
        self._held_out: float | None = None
        """The loss of the last validation of the stage."""

    def __enter__(self) -> LiveProgress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def stage_begins(self, number: int, stage: Stage, first_step: int) -> None:
        """A line for the stage."""
        self._begun, self._held_out = self._clock(), None
        self._recent = deque([(self._begun, first_step, 0.0)])
        if self._console.is_terminal:
            name = self._name(number)
            self._shown[number] = self._live.add_task(name, total=stage.iterations, completed=first_step, facts="")
        else:
            again = f", from step {first_step:,}" if first_step else ""
            self._say(f"{self._name(number)}: {stage.iterations:,} steps of {stage.global_batch:,} samples{again}")

    def step_done(self, number: int, loaded: LoadedStep, report: StepReport, learning_rate: float) -> None:
        """The line, brought up to date."""
        stage, done = self._recipe.stages[number], loaded.step + 1
        self._recent.append((self._clock(), done, self._recent[-1][2] + loaded.waited))
        while len(self._recent) > 2 and self._recent[-1][0] - self._recent[0][0] > _RECENT_SECONDS:
            self._recent.popleft()
        facts = self._facts(number, report)
        if self._console.is_terminal:
            self._live.update(self._shown[number], completed=done, facts=facts)
        elif done % self._recipe.log_every == 0 or done == stage.iterations:
            self._say(f"{self._name(number)}  step {done:,}/{stage.iterations:,}  {facts}")

    def validated(self, found: Validation) -> None:
        """The loss on held-out rows stands in the line from now on, and is a line of its own elsewhere."""
        self._held_out = found.overall if found.loss is None else found.loss
        recent = [(at + found.seconds, done, waited) for at, done, waited in self._recent]
        self._recent = deque(recent)  # the speed is that of steps
        if not self._console.is_terminal:
            words = f"held out {self._held_out:.4f} ({found.seconds:.1f} s)"
            self._say(f"{self._name(found.stage)}  after step {found.step:,}  {words}")

    def stage_ends(self, number: int, bundle: Bundle) -> None:
        """The line stays as it is."""

    def _facts(self, number: int, report: StepReport) -> str:
        stage = self._recipe.stages[number]
        (begun, first, waited_before), (now, done, waited) = self._recent[0], self._recent[-1]
        seconds = max(now - begun, 1e-9)
        rate = (done - first) * stage.global_batch / seconds
        facts = [f"loss {report.loss:.4f}"]
        if self._held_out is not None and self._console.is_terminal:
            facts.append(f"held out {self._held_out:.4f}")
        if report.usage is not None:
            facts.append(f"U_t {report.usage:.2f}" + (f" (ρ {stage.gate_rho:g})" if stage.alpha else ""))
        facts += [_speed(seconds / (done - first)), f"{rate:,.1f} samples/s", *self._gpu(number, rate)]
        facts.append(f"waited {(waited - waited_before) / seconds:.0%}")
        facts.append(self._left(number, done, rate))
        if report.skipped:
            facts.append("not finite, skipped")
        return "  ".join(facts)

    def _gpu(self, number: int, rate: float) -> list[str]:
        """The share of the peak that is reached and the most memory that was taken, as far as they are known."""
        share, memory = self._machine.peak_share(number, rate), self._machine.memory()
        return [
            *([] if share is None else [f"{share:.0%} of peak"]),
            *([] if memory is None else [f"{memory:.1f} GB"]),
        ]

    def _left(self, number: int, done: int, rate: float) -> str:
        """The time left at this rate, assuming that all stages are equally fast."""
        stage = self._recipe.stages[number]
        if done == stage.iterations:
            return f"done in {duration(self._clock() - self._begun)}"
        left = (stage.iterations - done) * stage.global_batch
        stages = [self._recipe.stages[other] for other in self._stages if other > number]
        later = sum(each.iterations * each.global_batch for each in stages)
        return f"{duration(left / rate)} left" + (f" ({duration((left + later) / rate)} in all)" if later else "")

    def _name(self, number: int) -> str:
        return f"stage {number} {self._recipe.stages[number].task}"

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def _speed(seconds: float) -> str:
    return f"{seconds:.2f} s/step" if seconds >= 0.1 else f"{1000 * seconds:.3g} ms/step"


def _bar(console: Console) -> Progress:
    """Name, bar and count in a line with the facts; narrow terminals go without the bar, and break the facts."""
    fixed = Column(no_wrap=True)
    return Progress(
        TextColumn("{task.description}", markup=False, table_column=fixed),
        *([BarColumn(bar_width=20)] if console.width >= _ROOM_FOR_BAR else []),
        MofNCompleteColumn(table_column=fixed),
        TextColumn("{task.fields[facts]}", markup=False, table_column=Column(overflow="fold")),
        console=console,
        refresh_per_second=4,
    )
