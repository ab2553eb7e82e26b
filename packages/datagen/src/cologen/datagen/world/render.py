"""Renders a scene: the picture, and exact masks, depth and classes of its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from cologen.datagen.records import Box
from cologen.datagen.rle import Mask
from cologen.datagen.world.grounds import paint_ground
from cologen.datagen.world.objects import SceneObject, full_mask, visible_masks, window
from cologen.datagen.world.scene import Scene
from cologen.datagen.world.surfaces import paint_object
from cologen.datagen.world.vocabulary import GROUND_CLASSES, GROUNDS, OBJECT_CLASSES

MIN_SIDE, MAX_SIDE = 32, 1024
"""Pixels."""

RELIEF = 0.02
"""How much nearer an object's middle is than its rim."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A picture in sRGB and its annotations, all of the same height and width.

    ``masks`` are the visible pixels of each object in scene order, pairwise disjoint, ``full_masks`` those it would
    have with nothing in front of it. ``depth`` is in [0, 1] with 0 nearest. ``class_map`` holds ids of
    ``OBJECT_CLASSES``, then, from ``len(OBJECT_CLASSES)`` on, of ``GROUND_CLASSES``; ``instance_map`` 0 for the ground
    and ``i + 1`` for object ``i``.
    """

    picture: UInt8[np.ndarray, "height width 3"]
    masks: tuple[Mask, ...]
    full_masks: tuple[Mask, ...]
    depth: Float32[np.ndarray, "height width"]
    class_map: UInt8[np.ndarray, "height width"]
    instance_map: UInt8[np.ndarray, "height width"]

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The tight box of each object's visible pixels, half-open xyxy."""
        return tuple(Box.from_xywh(*(float(side) for side in cv2.boundingRect(mask))) for mask in self.masks)


def render(scene: Scene, width: int, height: int) -> Rendering:
    """Draw the scene in ``width × height`` pixels.

    Raises:
        ValueError: a side is not between 32 and 1024 pixels.
    """
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (width, height)):
        raise ValueError(f"a picture's sides are {MIN_SIDE} to {MAX_SIDE} pixels, asked for {width} x {height}")
    full = tuple(full_mask(thing, width, height) for thing in scene.objects)
    visible = visible_masks(full)
    picture = paint_ground(scene.ground, scene.seed, scene.key, width, height)
    depth = _ground_depth(scene.ground, width, height)
    classes = np.full((height, width), len(OBJECT_CLASSES) + GROUND_CLASSES.index(scene.ground), dtype=np.uint8)
    instances = np.zeros((height, width), dtype=np.uint8)
    for i, (thing, mask) in enumerate(zip(scene.objects, visible, strict=True)):
        seen = mask.astype(bool)
        paint_object(picture, thing)
        _set_depth(depth, thing, seen)
        classes[seen] = OBJECT_CLASSES.index(thing.shape)
        instances[seen] = i + 1
    return Rendering(picture, visible, full, depth, classes, instances)


def _ground_depth(ground: str, width: int, height: int) -> Float32[np.ndarray, "height width"]:
    top, bottom = GROUNDS[ground].depth
    rows = np.linspace(top, bottom, height, dtype=np.float32)
    return np.repeat(rows[:, None], width, axis=1)


def _set_depth(
    depth: Float32[np.ndarray, "height width"], thing: SceneObject, seen: Bool[np.ndarray, "height width"]
) -> None:
    """The object's own depth at its rim, less in its middle, like a pebble."""
    height, width = depth.shape
    at = window(thing, width, height)
    (rows, columns), _ = at.crop(width, height)
    x = (np.arange(columns.start, columns.stop, dtype=np.float32) + np.float32(0.5 - at.center_x))[None, :]
    y = (np.arange(rows.start, rows.stop, dtype=np.float32) + np.float32(0.5 - at.center_y))[:, None]
    height_of_pebble = np.float32(RELIEF) * np.maximum(1 - (x * x + y * y) / np.float32(at.radius**2), 0)
    np.copyto(depth[rows, columns], np.float32(thing.depth) - height_of_pebble, where=seen[rows, columns])
