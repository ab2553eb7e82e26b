"""Draws one mask of a given kind for one picture, and measures its overlap with the picture's objects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from cologen.datagen import rle
from cologen.datagen.masks.irregular import irregular_mask
from cologen.datagen.masks.policy import MaskPolicy
from cologen.datagen.masks.strokes import PRESETS, random_mask
from cologen.datagen.randomness import generator
from cologen.datagen.records import ObjectMask, Reason, RejectedError

MaskKind = Literal["random", "object", "irregular"]
DILATION_SIDE = 512  # the picture side at which a policy's dilation counts in pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """What a mask is drawn for: a sample's id, its picture's size in pixels and its objects."""

    sample_id: str
    height: int
    width: int
    objects: tuple[ObjectMask, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnMask:
    """A mask and what it hides.

    ``target`` is the object the mask was made for or, under a random mask, the one it overlaps most by IoU (None where
    it overlaps none). ``max_object_iou`` and ``max_object_coverage`` range over all the picture's countable objects and
    crowds; ``area`` is a fraction of the picture. All three are in [0, 1].
    """

    kind: MaskKind
    counts: bytes
    area: float
    target: ObjectMask | None
    max_object_iou: float
    max_object_coverage: float


def targets(canvas: Canvas, policy: MaskPolicy) -> tuple[ObjectMask, ...]:
    """The objects that a mask may be made for: countable things of a size within the policy's limits."""
    things = [item for item in canvas.objects if item.kind == "thing"]
    pixels = canvas.height * canvas.width
    areas = rle.areas([item.rle for item in things])
    smallest, largest = policy.min_object_area * pixels, policy.max_object_area * pixels
    return tuple(thing for thing, area in zip(things, areas, strict=True) if smallest <= area <= largest)


def draw(kind: MaskKind, canvas: Canvas, policy: MaskPolicy, seed: int) -> DrawnMask:
    """A mask of this kind, a pure function of (seed, sample, kind); neither empty nor full.

    Raises:
        RejectedError: none was found within the policy's tries.
    """
    stream = generator(seed, canvas.sample_id, kind)
    if kind == "random":
        return _draw_random(stream, canvas, policy)
    candidates = targets(canvas, policy)
    if not candidates:
        raise RejectedError(Reason.NO_OBJECTS, f"none of {len(canvas.objects)} objects can be the target of a mask")
    for target in stream.permutation(np.array(candidates, dtype=object))[: policy.tries]:
        drawn = (
            _draw_object(canvas, policy, target)
            if kind == "object"
            else _draw_irregular(stream, canvas, policy, target)
        )
        if 0 < drawn.area < 1:
            return drawn
    raise RejectedError(Reason.NO_VALID_MASK, f"every {kind} mask covered the whole picture")


def _draw_random(stream: np.random.Generator, canvas: Canvas, policy: MaskPolicy) -> DrawnMask:
    worst = 0.0
    for _ in range(policy.tries):
        mask = random_mask(stream, canvas.height, canvas.width, PRESETS[policy.random_preset])
        drawn = _measured("random", canvas, rle.encode(mask), target=None)
        if drawn.max_object_iou <= policy.max_object_iou and drawn.max_object_coverage <= policy.max_object_coverage:
            return drawn
        worst = max(worst, drawn.max_object_iou)
    raise RejectedError(
        Reason.NO_VALID_MASK, f"{policy.tries} random masks hid too much of an object; IoU up to {worst:.2f}"
    )


def _draw_object(canvas: Canvas, policy: MaskPolicy, target: ObjectMask) -> DrawnMask:
    radius = round(policy.dilation * math.sqrt(canvas.height * canvas.width) / DILATION_SIDE)
    if radius == 0:
        return _measured("object", canvas, target.rle, target)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    grown = cv2.dilate(rle.decode(target.rle, canvas.height, canvas.width), kernel)
    return _measured("object", canvas, rle.encode(grown), target)


def _draw_irregular(stream: np.random.Generator, canvas: Canvas, policy: MaskPolicy, target: ObjectMask) -> DrawnMask:
    mask = irregular_mask(stream, canvas.height, canvas.width, target.box, policy.irregular)
    return _measured("irregular", canvas, rle.encode(mask), target)


def _measured(kind: MaskKind, canvas: Canvas, counts: bytes, target: ObjectMask | None) -> DrawnMask:
    """The mask with its overlaps; a random mask's target becomes the object it overlaps most."""
    objects = [item for item in canvas.objects if item.kind != "stuff"]
    iou, coverage = rle.overlaps(counts, [item.rle for item in objects], canvas.height, canvas.width)
    if target is None and iou.max(initial=0.0) > 0:
        target = objects[int(iou.argmax())]
    return DrawnMask(
        kind=kind,
        counts=counts,
        area=rle.area(counts) / (canvas.height * canvas.width),
        target=target,
        max_object_iou=float(iou.max(initial=0.0)),
        max_object_coverage=float(coverage.max(initial=0.0)),
    )
