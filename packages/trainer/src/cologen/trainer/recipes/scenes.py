"""Scenes of the synthetic dataset, drawn for every batch, in place of a manifest's rows."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from cologen.datagen.world.levels import LevelName
from cologen.datagen.world.render import MAX_SIDE, MIN_SIDE
from cologen.model.tasks import TASK_NAMES, TaskName
from cologen.trainer.recipes.effects import Free, Numbers, RecipePart


class Scenes(RecipePart):
    """Which series of scenes, none of which is stored."""

    later: ClassVar[tuple[str, ...]] = ("number", "pair_share", "pair_tasks", "given_share", "keep")

    level: Numbers[LevelName]
    side: Numbers[int] = Field(ge=MIN_SIDE, le=MAX_SIDE)
    """Of the square pictures, in pixels."""
    seed: Numbers[int] = Field(default=0, ge=0)
    number: Numbers[int] = Field(default=1 << 32, ge=1, le=1 << 32)
    """How many scenes there are; by default more than any run sees, so that none comes twice."""
    pair_share: Numbers[float] = Field(default=0.0, ge=0, lt=1)
    """The share of steps whose samples are two pictures drawn together: source and target of one of the tasks."""
    pair_tasks: Numbers[tuple[TaskName, ...]] = Field(default=TASK_NAMES, min_length=1)
    """The tasks of pairs, in turn: one named twice comes twice as often."""
    given_share: Numbers[float] = Field(default=0.0, ge=0, le=1)
    """The share of pairs whose source is given without noise, so that their target alone is drawn, as FLUX.1-Fill
    draws the rest of a picture."""
    keep: Free[bool] = False
    """Keep what was drawn in memory, in each process that makes batches: 12 kB for a picture of 64 pixels."""

    @property
    def shares(self) -> dict[str, float]:
        """Of scenes, and of pairs of them where there are any: their names and their shares of the steps."""
        found = {self.name: 1 - self.pair_share, f"{self.name}-pairs": self.pair_share}
        return {name: share for name, share in found.items() if share}

    @property
    def name(self) -> str:
        """What takes the place of a manifest's name in plans and reports."""
        return f"scenes-{self.level}-{self.side}-seed{self.seed}"
