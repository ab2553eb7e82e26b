"""Aligns a picture with a condition map of another size.

MultiGen-20M's conditions were made at another size than its pictures: 768 x 512 beside 640 x 427.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import UInt8

from cologen.datagen.pair_records import ConditionKind

Size = tuple[int, int]
"""Width and height in pixels."""


def stretch(image: Size, condition: Size) -> float:
    """The factor by which the proportions of a condition differ from its picture's, minus 1: 0 where they are the same.

    ``(640, 427)`` and ``(768, 512)``: 0.0008. ControlNet's annotators bring the shorter side to 512 pixels and round
    the other to a multiple of 64, so that ``(640, 480)`` becomes ``(704, 512)``: 0.031, and 0.0625 is the most.
    """
    ratio = (condition[0] * image[1]) / (condition[1] * image[0])
    return max(ratio, 1 / ratio) - 1


def resized(
    condition: UInt8[np.ndarray, "height width 3"], size: Size, kind: ConditionKind
) -> UInt8[np.ndarray, "new_height new_width 3"]:
    """The whole condition in another size, edge to edge: relative positions stay the same.

    The colours of classes are kept and never mixed.
    """
    height, width = condition.shape[:2]
    if size == (width, height):
        return condition
    if kind == "segmentation":
        method = cv2.INTER_NEAREST_EXACT
    else:
        method = cv2.INTER_AREA if size[0] * size[1] < width * height else cv2.INTER_LINEAR
    return cv2.resize(condition, size, interpolation=method).astype(np.uint8, copy=False)
