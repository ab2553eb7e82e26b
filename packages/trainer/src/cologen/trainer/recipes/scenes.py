"""Scenes of the synthetic dataset, drawn anew for every batch, in place of a manifest's rows."""

from __future__ import annotations

from pydantic import Field

from cologen.datagen.world.levels import LevelName
from cologen.datagen.world.render import MAX_SIDE, MIN_SIDE
from cologen.trainer.recipes.effects import Numbers, RecipePart


class Scenes(RecipePart):
    """Which endless series of scenes: no scene comes twice, and none is stored."""

    level: Numbers[LevelName]
    side: Numbers[int] = Field(ge=MIN_SIDE, le=MAX_SIDE)
    """Of the square pictures, in pixels."""
    seed: Numbers[int] = Field(default=0, ge=0)

    @property
    def name(self) -> str:
        """What takes the place of a manifest's name in plans and reports."""
        return f"scenes-{self.level}-{self.side}-seed{self.seed}"
