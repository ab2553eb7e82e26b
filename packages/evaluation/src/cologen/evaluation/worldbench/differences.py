"""How far an output is from a picture, for pixels in [-1, 1]."""

from __future__ import annotations

from cologen.evaluation.metrics.pixels import Pixels, mean_absolute
from cologen.evaluation.records import Picture


def signed_l1(output: Picture, reference: Picture, pixels: Pixels | None) -> float | None:
    """``mean_absolute`` of pixels in [-1, 1], so in [0, 2]; None where no pixel is compared."""
    difference = mean_absolute(output, reference, pixels)
    return None if difference is None else 2 * difference
