"""Marks on pictures: frames around boxes, and see-through covers over masks.

A frame is outside its box and touches it: it covers the pixels within ``line_width`` of the box (by rows and columns,
so corners are square) and none inside, and what is beyond the picture is cut off. Of an object that reaches the
picture's edge, the edge itself is that side of the frame. Around ``[2, 1, 4, 3]`` with a line of one pixel:

    . # # # #
    . # o o #
    . # o o #
    . # # # #

Several frames may cross each other's boxes; each is drawn whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from cologen.datagen import rle
from cologen.datagen.images import Picture
from cologen.datagen.rle import Mask

XYXY = Sequence[float] | Sequence[int]
"""A half-open box in pixels."""
RGB = Sequence[int]


def frames(boxes: Sequence[XYXY], line_width: int, height: int, width: int) -> Mask:
    """The pixels of the frames around all boxes."""
    mask = np.zeros((height, width), dtype=np.uint8)
    for rows, columns in _bars(boxes, line_width):
        mask[rows, columns] = 1
    return mask


def shows_corner(box: XYXY, line_width: int, height: int, width: int) -> bool:
    """Whether a corner of the frame fits into the picture for the whole width of its two lines.

    Then the frame and the picture's edges enclose the object; without a corner it is a line or two, and no box.
    """
    left, top, right, bottom = _whole(box)
    return max(left, width - right) >= line_width and max(top, height - bottom) >= line_width


def draw_boxes(picture: Picture, boxes: Sequence[XYXY], color: RGB, line_width: int) -> Picture:
    """A copy with opaque frames around the boxes; every other pixel is as it was."""
    marked = picture.copy()
    for rows, columns in _bars(boxes, line_width):
        marked[rows, columns] = color
    return marked


def cover(picture: Picture, mask: Mask, color: RGB, opacity: float) -> Picture:
    """A copy in which each pixel of the mask is ``(1 - opacity) · pixel + opacity · color``, rounded."""
    table = _blended(tuple(color), opacity)
    marked = picture.copy()
    # OpenCV blends a whole window faster than numpy picks the mask's pixels out of it.
    left, top, span_x, span_y = cv2.boundingRect(mask)
    window = slice(top, top + span_y), slice(left, left + span_x)
    if span_x * span_y > 0:
        marked[window] = cv2.copyTo(cv2.LUT(picture[window], table), mask[window], marked[window])
    return marked


@lru_cache(maxsize=256)
def _blended(color: tuple[int, ...], opacity: float) -> UInt8[np.ndarray, "1 256 3"]:
    """Each level of each channel under the color; palettes are small, so that most pictures find theirs made."""
    levels = np.arange(256)[:, None] * (1 - opacity) + np.array(color) * opacity
    return np.round(levels).astype(np.uint8)[None]


def marked(picture: Picture, row: Mapping[str, Any]) -> Picture:
    """The picture of a manifest's grounding row with its marks; a negative row has none."""
    if row["negative"]:
        return picture
    if row["referring"] == "mask":
        return cover(picture, rle.decode(row["mask_rle"], *picture.shape[:2]), row["color_rgb"], row["opacity"])
    return draw_boxes(picture, row["boxes"], row["color_rgb"], row["line_width"])


def source_and_target(picture: Picture, row: Mapping[str, Any]) -> tuple[Picture, Picture]:
    """The pictures of a grounding row: plain to marked or, where the marks are to be removed, the other way round."""
    with_marks = marked(picture, row)
    return (with_marks, picture) if row["inverse"] else (picture, with_marks)


def _bars(boxes: Sequence[XYXY], line_width: int) -> list[tuple[slice, slice]]:
    """Each frame as four bars of rows and columns: above and below over the whole width, then left and right."""
    found: list[tuple[slice, slice]] = []
    for box in boxes:
        left, top, right, bottom = _whole(box)
        outer = _span(left - line_width, right + line_width)
        found += [(_span(top - line_width, top), outer), (_span(bottom, bottom + line_width), outer)]
        found += [
            (_span(top, bottom), _span(left - line_width, left)),
            (_span(top, bottom), _span(right, right + line_width)),
        ]
    return found


def _span(start: int, stop: int) -> slice:
    # A negative start would count from the far end.
    return slice(max(start, 0), max(stop, 0))


def _whole(box: XYXY) -> tuple[int, int, int, int]:
    """Whole pixels that hold the box."""
    return math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])
