"""Object masks cut out of label maps."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import UInt8

from cologen.datagen import rle
from cologen.datagen.records import Box, ObjectKind, ObjectMask

Labels = UInt8[np.ndarray, "height width"]

_MIN_REGION = 0.001


def values(labels: Labels) -> list[int]:
    """The values that occur, ascending."""
    return np.flatnonzero(np.bincount(labels.ravel(), minlength=256)).tolist()


def whole(mask: rle.Mask, noun: str, kind: ObjectKind) -> ObjectMask:
    """All pixels of ``mask``, of which there is at least one, as one object."""
    x, y, width, height = map(float, cv2.boundingRect(mask))
    return ObjectMask(noun=noun, box=Box.from_xywh(x, y, width, height), rle=rle.encode(mask), kind=kind)


def connected(mask: rle.Mask, noun: str, kind: ObjectKind) -> Iterator[ObjectMask]:
    """Each 8-connected region of ``mask`` as one object; specks under a thousandth of the picture are no objects."""
    x, y, width, height = cv2.boundingRect(mask)
    window = np.s_[y : y + height, x : x + width]
    labels = np.asarray(cv2.connectedComponents(mask[window], connectivity=8)[1])
    # Three times as fast as connectedComponentsWithStats.
    areas = np.bincount(labels.ravel())
    for region in np.flatnonzero(areas[1:] >= _MIN_REGION * mask.size) + 1:
        inside = np.zeros_like(mask)
        inside[window] = labels == region
        yield whole(inside, noun, kind)
