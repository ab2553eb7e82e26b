"""Settings of a detector: thresholds and input size. Apart from the network, so that ``--help`` imports no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSettings:
    """What is kept of the network's 900 queries, and how large it sees the pictures.

    A query is kept if any of its token probabilities exceeds ``box_threshold``, and takes the noun of the highest
    probability if that exceeds ``text_threshold`` (0.35 and 0.25 are those of GroundingDINO's own inference). Of kept
    boxes that overlap by more than ``nms_iou``, whatever their nouns, the best stays. ``short_side`` and ``long_side``
    are pixels: the first is aimed at, the second never exceeded.
    """

    box_threshold: float = 0.35
    """Boxes of a lower score are dropped."""
    text_threshold: float = 0.25
    """Tokens of a lower score do not name a box."""
    nms_iou: float = 0.5
    """Of two boxes of one noun with a larger IoU, the better one stays."""
    short_side: int = 800
    """Pixels: the short side of the network's input."""
    long_side: int = 1333
    """Pixels: the most of the long side."""
    batch_size: int = 8
    """Pictures per forward pass."""

    def __post_init__(self) -> None:
        for name in ("box_threshold", "text_threshold", "nms_iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if not 32 <= self.short_side <= self.long_side:
            raise ValueError(f"expected 32 <= short_side <= long_side, got {self.short_side} and {self.long_side}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
