"""How far an output is from a picture: over all pixels, and at each."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int16

from cologen.evaluation.metrics.pixels import Pixels, mean_absolute
from cologen.evaluation.records import Picture

CHANGED = 28
"""The ``distance`` above which a pixel is changed."""


def distance(one: Picture, other: Picture) -> Int16[np.ndarray, "height width"]:
    """Grey levels at each pixel, of the channel that differs most."""
    return np.abs(one.astype(np.int16) - other).max(axis=-1)


def signed_l1(output: Picture, reference: Picture, pixels: Pixels | None) -> float | None:
    """``mean_absolute`` of pixels in [-1, 1], so in [0, 2]; None where no pixel is compared."""
    difference = mean_absolute(output, reference, pixels)
    return None if difference is None else 2 * difference
