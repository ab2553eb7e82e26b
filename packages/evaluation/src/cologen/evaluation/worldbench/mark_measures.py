"""Grounding: whether the asked object is marked, in the asked colour, and nothing else is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cologen.datagen.grounding.marks import frames
from cologen.datagen.rle import Mask
from cologen.datagen.world.render import Rendering
from cologen.evaluation.records import Picture
from cologen.evaluation.worldbench.differences import signed_l1
from cologen.evaluation.worldbench.mark_reading import MarkKind, read_mark

LEAST_IOU = 0.25
"""A mark with a smaller IoU marks nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkAsked:
    """The mark that is asked for: around or over which objects of a rendering, and how.

    ``any_of``: one of them will do, and no other object is to be marked. ``color`` is a name of ``grounding.palette``;
    ``line_width`` is in pixels and matters for frames alone.
    """

    kind: MarkKind
    targets: tuple[int, ...]
    color: str
    line_width: int = 1
    any_of: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkValues:
    """Of one picture.

    ``iou`` is that of the marked pixels and the asked ones (within the boxes, or of the masks). ``color`` is 1 in the
    asked colour. ``target`` is 1 if the mark's IoU with what was asked is at least ``LEAST_IOU`` and no object that was
    not asked for has a better one. These are in [0, 1], higher is better. ``l1_outside`` is the mean difference from
    the source off the asked mark, in the range [-1, 1] of pixels, so in [0, 2]; None where the mark is everywhere.
    """

    iou: float
    color: float
    target: float
    l1_outside: float | None


def grounded(output: Picture, rendering: Rendering, asked: MarkAsked) -> MarkValues:
    """An output in the size of its source, which is the rendering's picture."""
    source = rendering.picture
    mark = read_mark(output, source, asked.kind)
    regions = [_region(rendering, i, asked.kind) for i in range(len(rendering.masks))]
    targets = asked.targets
    if asked.any_of:
        targets = (max(targets, key=lambda i: _iou(mark.region, regions[i])),)
    wanted = np.logical_or.reduce([regions[i] for i in targets])
    iou = _iou(mark.region, wanted)
    others = [_iou(mark.region, region) for i, region in enumerate(regions) if i not in asked.targets]
    return MarkValues(
        iou=iou,
        color=float(mark.color == asked.color),
        target=float(iou >= LEAST_IOU and all(iou > other for other in others)),
        l1_outside=signed_l1(output, source, ~_mark(rendering, asked, targets, wanted)),
    )


def _region(rendering: Rendering, index: int, kind: MarkKind) -> np.ndarray:
    if kind == "cover":
        return rendering.masks[index].astype(bool)
    box = rendering.boxes[index]
    region = np.zeros(rendering.masks[index].shape, dtype=bool)
    region[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = True
    return region


def _mark(rendering: Rendering, asked: MarkAsked, targets: Sequence[int], wanted: np.ndarray) -> np.ndarray:
    """The pixels that the asked mark may change, and one around each."""
    if asked.kind == "cover":
        pixels: Mask = wanted.astype(np.uint8)
    else:
        boxes = [rendering.boxes[i] for i in targets]
        sides = [(box.x0, box.y0, box.x1, box.y1) for box in boxes]
        pixels = frames(sides, asked.line_width, *wanted.shape)
    return cv2.dilate(pixels, np.ones((3, 3), dtype=np.uint8)) > 0


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    either = np.count_nonzero(a | b)
    return float(np.count_nonzero(a & b) / either) if either else 0.0
