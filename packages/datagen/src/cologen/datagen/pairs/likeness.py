"""Similarity of two pictures: perceptual hashes find candidates, small copies are compared cell by cell.

A hash alone would not do: an edit that changes one small object leaves the 64 bits of its picture as they were. So the
hash finds candidates, and the small copies decide.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8

from cologen.datagen.images import Picture

SIDE = 32
"""Cells per side of a thumbnail, whatever the picture's shape."""

_LOW = 8
"""Frequencies per axis that the hash keeps: 8 × 8 = 64 bits."""

Thumbnail = UInt8[np.ndarray, "side side 3"]


class Likeness(NamedTuple):
    """What is stored of a picture to recognise it."""

    thumbnail: Thumbnail
    hash: int
    """64 bits: close in Hamming distance for pictures that look alike."""


def likeness(picture: Picture) -> Likeness:
    """The thumbnail of a picture (RGB in [0, 255], reduced or not) and the hash of that."""
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return Likeness(small, perceptual_hash(small))


def perceptual_hash(thumbnail: Thumbnail) -> int:
    """Which of the 64 lowest frequencies of its brightness are above their median: pHash, one bit each.

    Frequencies are rounded to whole levels, so that a plain surface has the same hash on every machine.
    """
    grey = cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY).astype(np.float64)
    low = np.rint(cv2.dct(grey)[:_LOW, :_LOW])
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes())


def largest_change(one: Likeness, other: Likeness) -> int:
    """The largest difference of any cell and channel, in levels of 255; noise of compression averages out."""
    return int(np.abs(one.thumbnail.astype(np.int16) - other.thumbnail).max())
