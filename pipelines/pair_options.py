"""What the builders of pairs ask of two pictures, whatever the dataset."""

from __future__ import annotations

from dataclasses import dataclass

from cologen.datagen.pairs.filters import PairPolicy
from cologen.datagen.usage import refusals_named


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOptions:
    """When a pair is turned away for its pictures."""

    min_side: int = 64
    """Pixels: the shortest side of either picture."""
    min_change: int = 12
    """Levels of 255 by which some cell of their 32 x 32 thumbnails must differ; else two pictures are the same."""

    def __post_init__(self) -> None:
        with refusals_named():
            _ = self.policy()

    def policy(self, *, num_scores: int = 0, min_score: float = 0.0) -> PairPolicy:
        """The same as a part of the recipe, with what is asked of the scores."""
        return PairPolicy(
            num_scores=num_scores, min_score=min_score, min_side=self.min_side, min_change=self.min_change
        )
