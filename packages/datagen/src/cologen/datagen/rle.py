"""Masks to and from COCO run lengths (pycocotools), the only form in which a manifest stores a mask.

A mask is ``UInt8[height width]`` of {0, 1}; its run lengths are COCO's compressed counts: runs down the columns,
starting with zeros. Counts do not hold their size: functions that need it take ``height`` and ``width``, in that order.
Only ``check`` and ``decode`` validate the counts; the others trust them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import cv2
import numpy as np
from jaxtyping import Float64, Int64, UInt8
from pycocotools import mask as coco

from cologen.datagen.records import Box, Reason, RejectedError

Mask = UInt8[np.ndarray, "height width"]
Polygon = Sequence[int | float] | Float64[np.ndarray, " _num_coordinates"]
# pycocotools walks along every edge: a stray coordinate of 1e7 costs it a gigabyte, one of 1e8 the process.
FARTHEST_COORDINATE = 1e5
# The same for many edges that go to and fro; the outline of a real object takes some thousands of steps.
LONGEST_OUTLINE = 1e6


def encode(mask: Mask) -> bytes:
    """The compressed counts of a mask of {0, 1}; any nonzero value counts as 1."""
    # OpenCV's transpose copies into column order with vector code, nine times faster than np.asfortranarray.
    return _counts(coco.encode(cast(Any, cv2.transpose(mask.astype(bool).view(np.uint8)).T)))


def decode(counts: bytes, height: int, width: int) -> Mask:
    """The mask of compressed counts.

    Raises:
        ValueError: the counts do not describe exactly ``height × width`` pixels.
    """
    lengths = _checked_runs(counts, height, width)
    bits = np.zeros(lengths.size, dtype=np.uint8)
    bits[1::2] = 1
    # Row by row in memory, which whatever reads the mask is quickest at; a quarter of pycocotools' time.
    return cv2.transpose(np.repeat(bits, lengths).reshape(width, height)).astype(np.uint8, copy=False)


def check(counts: bytes, height: int, width: int) -> None:
    """Refuse counts of another size: pycocotools itself would read them into uninitialised memory.

    Raises:
        ValueError: the counts do not describe exactly ``height × width`` pixels.
    """
    _checked_runs(counts, height, width)


def _checked_runs(counts: bytes, height: int, width: int) -> Int64[np.ndarray, "num_runs"]:
    lengths, pixels = runs(counts), height * width
    # No run may be longer than the picture: a sum of 60-bit numbers could come round to the right one.
    if lengths.min() < 0 or lengths.max() > pixels or lengths.sum() != pixels:
        raise ValueError(f"run lengths cover {lengths.sum()} pixels, expected {height} x {width} = {pixels}")
    return lengths


def runs(counts: bytes) -> Int64[np.ndarray, "num_runs"]:
    """The run lengths of compressed counts in pixels, zeros first.

    COCO's string holds 5 bits to a character, low bits first, 0x20 meaning "more follow"; from the fourth run on, a
    number is the difference to the run two before it. ``b"P13700000`1"`` over 10 x 12 is a 3 x 4 box:
    32 zeros, then 3 ones and 7 zeros four times, the last zeros being 55.

    Raises:
        ValueError: the string breaks off inside a number or holds characters of another alphabet.
    """
    digits = np.frombuffer(counts, dtype=np.uint8).astype(np.int64) - 48
    if digits.size == 0 or digits.min() < 0 or digits.max() > 63 or digits[-1] & 0x20:
        raise ValueError(f"not COCO's compressed counts: {counts[:20]!r}")
    ends = np.flatnonzero((digits & 0x20) == 0)
    starts = np.concatenate(([0], ends[:-1] + 1))
    places = np.arange(digits.size) - np.repeat(starts, ends - starts + 1)
    if places.max() > 11:
        raise ValueError(f"not COCO's compressed counts: a number of {places.max() + 1} characters")
    values = np.add.reduceat((digits & 0x1F) << (5 * places), starts)
    negative = (digits[ends] & 0x10) != 0
    values[negative] -= np.int64(1) << (5 * (places[ends[negative]] + 1))
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def area(counts: bytes) -> int:
    """The number of pixels set."""
    return areas([counts])[0]


def areas(masks: Sequence[bytes]) -> list[int]:
    """The number of pixels set in each mask."""
    # An area does not depend on the size, which only bounds what decoding may write.
    rles = cast(Any, [_rle(counts, 0, 0) for counts in masks])
    return cast(Any, coco.area(rles)).tolist() if masks else []


def box(counts: bytes, height: int, width: int) -> Box:
    """The tight box of the pixels set, half-open xyxy; all zeros for an empty mask."""
    x, y, w, h = (float(side) for side in coco.toBbox(_rle(counts, height, width)))
    return Box.from_xywh(x, y, w, h)


def overlaps(
    mask: bytes, objects: Sequence[bytes], height: int, width: int
) -> tuple[Float64[np.ndarray, "num_objects"], Float64[np.ndarray, "num_objects"]]:
    """Of one mask with each object: IoU, and coverage (intersection over the object's area), both in [0, 1]."""
    if not objects:
        return np.zeros(0), np.zeros(0)
    candidates = [_rle(counts, height, width) for counts in objects]
    # Against a "crowd" pycocotools divides the intersection by the first one's area alone: that is the coverage.
    coverage = np.asarray(coco.iou(candidates, [_rle(mask, height, width)], [True]))[:, 0]
    mask_area, *object_areas = areas([mask, *objects])
    intersection = coverage * object_areas
    return intersection / np.maximum(mask_area + np.asarray(object_areas) - intersection, 1), coverage


def from_polygons(polygons: Sequence[Polygon], height: int, width: int) -> bytes:
    """The union of COCO polygons ``[x0, y0, x1, y1, …]`` in pixels, clipped to the picture.

    Raises:
        RejectedError: no polygon has three points or more (degenerate), none touches the picture or one reaches far
            beyond it (outside).
    """
    usable = [np.asarray(one, dtype=np.float64) for one in polygons if len(one) >= 6 and len(one) % 2 == 0]
    if not usable:
        raise RejectedError(Reason.DEGENERATE_POLYGON, f"{len(polygons)} polygons, none of three points or more")
    numbers = usable[0] if len(usable) == 1 else np.concatenate(usable)
    xs, ys = numbers[::2], numbers[1::2]
    left, top, right, bottom = float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max())
    if not math.isfinite(left + top + right + bottom):
        raise RejectedError(Reason.DEGENERATE_POLYGON, "a coordinate is not a finite number")
    far = max(right, bottom, -left, -top) > FARTHEST_COORDINATE
    if far or right <= 0 or bottom <= 0 or left >= width or top >= height:
        raise RejectedError(Reason.OUTSIDE_IMAGE, f"polygon x {left:g} to {right:g}, y {top:g} to {bottom:g}")
    steps = sum(np.abs(np.diff(one.reshape(-1, 2), axis=0)).max(axis=1).sum() for one in usable)
    if steps > LONGEST_OUTLINE:
        raise RejectedError(Reason.OUTSIDE_IMAGE, f"an outline of {steps:.3g} pixels, at most {LONGEST_OUTLINE:g}")
    parts = cast(list[Any], coco.frPyObjects(cast(Any, usable), height, width))
    counts = _counts(parts[0] if len(parts) == 1 else coco.merge(parts))
    if _is_empty(counts):
        raise RejectedError(Reason.DEGENERATE_POLYGON, f"covers no pixel: {usable[0][:8].tolist()}")
    return counts


def _is_empty(counts: bytes) -> bool:
    """Whether the counts are one run of zeros: a single number, whose digits but the last say "more follow"."""
    return all(digit - 48 & 0x20 for digit in counts[:-1])


def from_uncompressed(lengths: Sequence[int], height: int, width: int) -> bytes:
    """COCO's uncompressed run lengths (a crowd's ``counts`` list) in compressed form.

    Raises:
        RejectedError: the runs do not describe exactly ``height × width`` pixels.
    """
    if min(lengths, default=0) < 0 or sum(lengths) != height * width:
        raise RejectedError(Reason.MALFORMED_RECORD, f"runs cover {sum(lengths)} pixels of {height} x {width}")
    compressed = coco.frPyObjects(_rle(list(lengths), height, width), height, width)
    # Through pixels, which merges the runs around one of no pixels: pycocotools' overlaps would end there.
    return encode(coco.decode(compressed)) if 0 in lengths[1:] else _counts(compressed)


def _rle(counts: bytes | list[int], height: int, width: int) -> Any:
    return {"size": [height, width], "counts": counts}


def _counts(encoded: Any) -> bytes:
    return encoded["counts"]
