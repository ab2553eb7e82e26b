"""A picture and its condition of another size: brought to one size, or cropped alike, so that they show the same place.

MultiGen-20M's conditions were made at another size than its pictures: 768 x 512 beside 640 x 427.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import UInt8

from cologen.datagen.pair_records import ConditionKind
from cologen.datagen.randomness import KeyPart, generator
from cologen.datagen.records import Box

Size = tuple[int, int]
"""Width and height in pixels."""


def stretch(image: Size, condition: Size) -> float:
    """By which factor the proportions of a condition differ from its picture's, less 1: 0 where they are the same.

    ``(640, 427)`` and ``(768, 512)``: 0.0008. ControlNet's annotators bring the shorter side to 512 pixels and round
    the other to a multiple of 64, so that ``(640, 480)`` becomes ``(704, 512)``: 0.031, and 0.0625 is the most.
    """
    ratio = (condition[0] * image[1]) / (condition[1] * image[0])
    return max(ratio, 1 / ratio) - 1


def resized(
    condition: UInt8[np.ndarray, "height width 3"], size: Size, kind: ConditionKind
) -> UInt8[np.ndarray, "new_height new_width 3"]:
    """The whole condition in another size, edge to edge: what lies at a fraction of its sides stays there.

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


def aligned_crops(image: Size, condition: Size, target: Size, seed: int, *key: KeyPart) -> tuple[Box, Box]:
    """The crops of a picture and of its condition, to be resized to ``target``: the same fractions of both.

    The crop is the largest of the picture that has the target's proportions, at a place drawn for ``key``. Edges fall
    between pixels, as Pillow's ``resize(target, box=...)`` takes them; rounding them for either would shift it against
    the other. ``(640, 427)`` and ``(768, 512)`` to a square: 427 pixels across and 512.4, both at full height.

    Raises:
        ValueError: a side is not positive.
    """
    if min(*image, *condition, *target) < 1:
        raise ValueError(f"sides must be positive, got {image}, {condition} and {target}")
    width, height = image
    crop_width = min(float(width), height * target[0] / target[1])
    crop_height = min(float(height), width * target[1] / target[0])
    right, down = generator(seed, *key, "crop").random(2)
    x0, y0 = right * (width - crop_width), down * (height - crop_height)
    box = Box(x0=x0, y0=y0, x1=x0 + crop_width, y1=y0 + crop_height).clipped(width, height)
    across, along = condition[0] / width, condition[1] / height
    scaled = Box(x0=box.x0 * across, y0=box.y0 * along, x1=box.x1 * across, y1=box.y1 * along)
    return box, scaled.clipped(*condition)
