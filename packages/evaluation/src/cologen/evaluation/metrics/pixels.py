"""Differences between two pictures, pixel by pixel.

Protocol of MagicBrush's script: the output is resized to the reference's size, then differences of values in [0, 1] are
averaged over pixels and channels. They are summed here as whole numbers, so that the value does not depend on an order.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool
from PIL import Image

from cologen.evaluation.metrics.cases import Part
from cologen.evaluation.records import Picture, Region

Pixels = Bool[np.ndarray, "height width"]


def resized_to(picture: Picture, size: tuple[int, int]) -> Picture:
    """``picture`` in ``size`` (width, height) by Pillow's bicubic filter; untouched if it has that size."""
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def size_of(picture: np.ndarray) -> tuple[int, int]:
    """(width, height), in Pillow's order."""
    return picture.shape[1], picture.shape[0]


def pixels_of(region: Region, size: tuple[int, int], part: Part) -> Pixels:
    """Which pixels of a picture of ``size`` (width, height) count; a region of another size is scaled, nearest."""
    if size_of(region) != size:
        region = np.asarray(Image.fromarray(region).resize(size, Image.Resampling.NEAREST))
    return region.astype(bool) if part == "inside" else ~region.astype(bool)


def mean_absolute(output: Picture, reference: Picture, pixels: Pixels | None = None) -> float | None:
    """L1: the mean of |a - b|, in [0, 1]; over ``pixels`` alone if given, None where there are none.

    Black against mid grey (128) is 128 / 255 = 0.502.
    """
    difference = np.abs(_difference(output, reference, pixels))
    return None if difference.size == 0 else int(difference.sum(dtype=np.int64)) / (255 * difference.size)


def mean_squared(output: Picture, reference: Picture, pixels: Pixels | None = None) -> float | None:
    """L2 as MagicBrush's script has it, the mean of (a - b)² without a root, in [0, 1]; as ``mean_absolute`` else."""
    difference = _difference(output, reference, pixels)
    return None if difference.size == 0 else int((difference**2).sum(dtype=np.int64)) / (255**2 * difference.size)


def _difference(output: Picture, reference: Picture, pixels: Pixels | None) -> np.ndarray:
    difference = resized_to(output, size_of(reference)).astype(np.int32) - reference
    return difference if pixels is None else difference[pixels]
