"""The interface of observers of a training run, and several observers as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from cologen.model.bundle import Bundle
from cologen.trainer.data.batch import LoadedStep
from cologen.trainer.loop.learner import StepReport
from cologen.trainer.loop.validation import Validation
from cologen.trainer.recipes.stages import Stage


@runtime_checkable
class Watcher(Protocol):
    """An observer of a training run: logs, progress, sample grids."""

    def stage_begins(self, number: int, stage: Stage, first_step: int) -> None:
        """Before the first step that this process does of a stage."""
        ...

    def step_done(self, number: int, loaded: LoadedStep, report: StepReport, learning_rate: float) -> None:
        """After every step."""
        ...

    def validated(self, found: Validation) -> None:
        """After each validation; of a stage that goes on, perhaps one that was seen before the interruption."""
        ...

    def stage_ends(self, number: int, bundle: Bundle) -> None:
        """When the stage is finished and the bundle's transformer is its moving average."""
        ...


class Watchers:
    """Calls each in turn; an observer that reads another's files must come after it."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = tuple(watchers)

    def stage_begins(self, number: int, stage: Stage, first_step: int) -> None:
        """Before the first step that this process does of a stage."""
        for watcher in self._watchers:
            watcher.stage_begins(number, stage, first_step)

    def step_done(self, number: int, loaded: LoadedStep, report: StepReport, learning_rate: float) -> None:
        """After every step."""
        for watcher in self._watchers:
            watcher.step_done(number, loaded, report, learning_rate)

    def validated(self, found: Validation) -> None:
        """After each validation."""
        for watcher in self._watchers:
            watcher.validated(found)

    def stage_ends(self, number: int, bundle: Bundle) -> None:
        """When the stage is finished."""
        for watcher in self._watchers:
            watcher.stage_ends(number, bundle)
