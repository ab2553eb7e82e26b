"""When a checkpoint is due: after so many steps, or so many minutes after the one before.

Steps are the same whenever it is written, so a clock may decide it.
"""

from __future__ import annotations

from collections.abc import Callable

from cologen.trainer.distributed import Processes
from cologen.trainer.recipes.curriculum import Recipe


class CheckpointDue:
    """Asked after each step of one stage; ``clock`` counts seconds."""

    def __init__(self, recipe: Recipe, processes: Processes, clock: Callable[[], float]) -> None:
        self._steps, self._seconds = recipe.checkpoint_every, 60 * recipe.checkpoint_minutes
        self._processes, self._clock = processes, clock
        self._last = clock()

    def at(self, step: int) -> bool:
        """Whether one is due after this step, by the first process's clock (collective)."""
        if not self._seconds:
            return step % self._steps == 0
        late = self._processes.first and self._clock() - self._last >= self._seconds
        return self._processes.any(late) or step % self._steps == 0

    def written(self) -> None:
        """The minutes begin anew."""
        self._last = self._clock()
