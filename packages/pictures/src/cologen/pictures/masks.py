"""Pillow images and arrays to masks of 0 and 1: white is the hole, and so is 1 among integers 0 and 1."""

from __future__ import annotations

import numpy as np
import PIL.Image
from jaxtyping import UInt8

from cologen.pictures import rgb
from cologen.pictures.levels import eight_bits, unit_floats

Mask = UInt8[np.ndarray, "_height _width"]
"""1 in the hole, else 0."""

HOLE_GREY = 128
"""Fills the hole of a picture that is to be painted, in 8 bits: in training and at inference."""

_PLAIN_MODES = frozenset({"1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})


def hole(image: PIL.Image.Image) -> Mask:
    """Where an image is at least half white, once it is turned upright and its transparency laid over white.

    Raises:
        ValueError: there is no such place, or the numbers are no brightness.
    """
    image = rgb.upright(image)
    if image.mode not in _PLAIN_MODES or image.has_transparency_data:
        image = PIL.Image.fromarray(rgb.rgb(image)).convert("L")
    return array_hole(np.asarray(image))


def array_hole(values: np.ndarray) -> Mask:
    """Where an array by (row, column) is white: 0.5 or more of a float, half of an integer's range, or True.

    Integers that are all 0 or 1 are labels, 1 being the hole.

    Raises:
        ValueError: there is no hole, or it is of another shape, type or range.
    """
    values = np.asarray(values)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"a mask is (height, width): got {values.shape}")
    found = _is_hole(values).astype(np.uint8)
    if not found.any():
        raise ValueError(
            f"the mask has no hole: its largest value is {float(values.max()):.3g} as {values.dtype}. The hole is "
            "white: 0.5 or more as a float, 128 or more in 8 bits, or 1 where all values are 0 or 1"
        )
    return found


def _is_hole(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return unit_floats(values) >= 0.5
    if values.dtype.kind in "iu" and values.min() >= 0 and values.max() == 1:
        return values == 1
    if values.dtype.kind == "i" and values.dtype.itemsize == 8 and values.min() >= 0 and values.max() <= 255:
        values = values.astype(np.uint8)  # what torch and numpy make of whole numbers
    return eight_bits(values) >= 128
