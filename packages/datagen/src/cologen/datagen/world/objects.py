"""One object of a scene: the record, its window in a picture of any size, and its coverage of pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from cologen.datagen.rle import Mask
from cologen.datagen.world.outlines import Loop, outline

SUPERSAMPLING = 4
"""Subpixels along each side of a pixel: coverage is counted in whole subpixels, so it is the same on every machine."""

PADDING = 0.35
"""Margin around the unit circle for the shadow, in radii."""

_SHIFT = 8
"""Fractional bits of the polygon corners given to OpenCV."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneObject:
    """A named thing at a place, in units that hold for every picture size.

    ``x`` and ``y`` are the middle of its box as fractions of the picture's width and height, ``scale`` the radius of
    the circle around it as a fraction of the shorter side, ``angle`` its turn in degrees (clockwise), ``depth`` its
    distance in [0, 1] with 0 nearest. ``grain`` seeds its texture, so an object keeps its looks wherever it goes.
    """

    shape: str
    color: str
    size: str
    texture: str
    x: float
    y: float
    scale: float
    angle: float
    depth: float
    grain: int


@dataclass(frozen=True, slots=True)
class Window:
    """The square of ``side`` pixels around an object in one picture; it may reach beyond the picture's edges."""

    x0: int
    y0: int
    side: int
    center_x: float
    center_y: float
    radius: float

    def crop(self, width: int, height: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Rows and columns of the part inside the picture: first in the picture, then in the window."""
        x0, y0 = max(self.x0, 0), max(self.y0, 0)
        x1, y1 = max(x0, min(self.x0 + self.side, width)), max(y0, min(self.y0 + self.side, height))
        inner = slice(y0 - self.y0, y1 - self.y0), slice(x0 - self.x0, x1 - self.x0)
        return (slice(y0, y1), slice(x0, x1)), inner


def window(thing: SceneObject, width: int, height: int) -> Window:
    """The object's window in a picture of ``width × height`` pixels, shadow included."""
    radius = thing.scale * min(width, height)
    center_x, center_y = thing.x * width, thing.y * height
    reach = radius * (1 + PADDING) + 2
    x0, y0 = math.floor(center_x - reach), math.floor(center_y - reach)
    return Window(x0, y0, math.ceil(2 * reach) + 1, center_x, center_y, radius)


def fill(loops: Sequence[Loop], angle: float, at: Window) -> UInt8[np.ndarray, "side side"]:
    """How much of each pixel of the window is inside the rotated loops (even-odd), 0 to 255."""
    turn = math.radians(angle)
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    offset = np.array([at.center_x - at.x0, at.center_y - at.y0])
    corners = [(loop @ rotation * at.radius + offset) * SUPERSAMPLING - 0.5 for loop in loops]
    fixed = [np.round(points * (1 << _SHIFT)).astype(np.int32) for points in corners]
    canvas = np.zeros((at.side * SUPERSAMPLING, at.side * SUPERSAMPLING), dtype=np.uint8)
    cv2.fillPoly(canvas, fixed, 255, lineType=cv2.LINE_8, shift=_SHIFT)
    # Halved twice: OpenCV averages 2 x 2 pixels with vector code, 4 x 4 without.
    halved = cv2.resize(canvas, (at.side * 2, at.side * 2), interpolation=cv2.INTER_AREA)
    return cv2.resize(halved, (at.side, at.side), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def full_mask(thing: SceneObject, width: int, height: int) -> Mask:
    """The pixels at least half inside the silhouette, as if nothing lay in front of it."""
    at = window(thing, width, height)
    picture, inner = at.crop(width, height)
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[picture] = fill(outline(thing.shape).loops, thing.angle, at)[inner] >= 128
    return mask


def visible_masks(full: Sequence[Mask]) -> tuple[Mask, ...]:
    """What is left of each mask behind those after it; pairwise disjoint."""
    visible: list[Mask] = []
    if full:
        hidden = np.zeros_like(full[0])
        for mask in reversed(full):
            visible.append(mask & ~hidden & 1)
            hidden = hidden | mask
    return tuple(reversed(visible))
