"""The rules that a pair must pass: scores, sizes, and that its two pictures differ."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from cologen.datagen.images import MIN_SIDE
from cologen.datagen.pair_records import Pair, Scores
from cologen.datagen.pairs.likeness import Likeness, largest_change
from cologen.datagen.records import Reason, RejectedError


class PairPolicy(BaseModel):
    """The thresholds of rejection."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    num_scores: int = Field(default=0, ge=0)
    """How many scores a pair must have; one that was never judged has none."""
    min_score: float = 0.0
    """Every score a pair has must reach this, on the dataset's own scale."""
    min_side: int = Field(default=64, ge=MIN_SIDE)
    """Pixels: the shortest side of either picture."""
    min_change: int = Field(default=12, ge=1, le=255)
    """Levels of 255: pictures are the same unless some cell of their thumbnails differs by this much.

    Saved again as JPEG of quality 60 to 90, photographs of 512 pixels a side differ by 5 at most and the synthetic
    dataset's pictures by 14; its smallest edit by 68.
    """


def check_scores(scores: Scores, policy: PairPolicy) -> None:
    """Nothing, for scores that are complete and high enough.

    Raises:
        RejectedError: scores are missing, or too low; all that are too low are named.
    """
    if len(scores) < policy.num_scores:
        raise RejectedError(Reason.UNJUDGED, f"{len(scores)} of {policy.num_scores} scores")
    if low := [f"{name} {value:g}" for name, value in scores if not value >= policy.min_score]:
        raise RejectedError(Reason.LOW_SCORE, f"{', '.join(low)}: at least {policy.min_score:g}")


def check_sizes(pair: Pair, policy: PairPolicy) -> None:
    """Nothing, for pictures that are large enough.

    Raises:
        RejectedError: a side of the source or of the target is shorter than ``min_side``.
    """
    for role, (width, height) in (("source", pair.source_size), ("target", (pair.width, pair.height))):
        if min(width, height) < policy.min_side:
            raise RejectedError(Reason.TOO_SMALL, f"{role} {width}x{height}, at least {policy.min_side} pixels a side")


def check_change(source: Likeness, target: Likeness, policy: PairPolicy) -> None:
    """Nothing, for pictures that differ.

    Raises:
        RejectedError: no cell differs by ``min_change``.
    """
    change = largest_change(source, target)
    if change < policy.min_change:
        raise RejectedError(Reason.IDENTICAL_PAIR, f"no cell differs by more than {change} of 255 levels")
