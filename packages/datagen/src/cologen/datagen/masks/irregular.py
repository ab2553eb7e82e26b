"""Irregular object masks: a Bézier curve around the object's box, sampled and connected (section 2.3 of the paper).

The curve is Paint-by-Example's (Yang et al. 2023): one quadratic Bézier per side of the box, its ends at the corners,
its control point at the side's midpoint, moved outwards into the free space. Points are jittered, outwards only, so
that the polygon always covers the whole box; that is where we differ, as the original leaves 1.4 % of it uncovered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float64

from cologen.datagen.records import Box
from cologen.datagen.rle import Mask

_SUBPIXEL_BITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class IrregularShape:
    """How far the outline leaves the box.

    ``bulge`` is the largest share of the free space beside the box that a side may swell into; ``jitter`` is the most a
    point moves, in pixels on a picture whose √(height × width) is ``reference_side``. ``num_points`` are sampled
    uniformly on each side, or on the whole contour (then a multiple of four).
    """

    num_points: int = 20
    points_on: Literal["side", "contour"] = "side"
    bulge: float = 0.4
    jitter: float = 5.0
    reference_side: int = 512

    def __post_init__(self) -> None:
        if self.num_points < 1 or (self.points_on == "contour" and self.num_points % 4):
            raise ValueError(f"num_points must be positive, and a multiple of 4 on the contour; got {self.num_points}")
        if not 0 <= self.bulge <= 1 or self.jitter < 0:
            raise ValueError(f"bulge must be in [0, 1] and jitter be at least 0; got {self.bulge}, {self.jitter}")
        if self.reference_side < 1:
            raise ValueError(f"reference_side must be at least 1 pixel; got {self.reference_side}")

    @property
    def points_per_side(self) -> int:
        """Points on each of the four sides; a corner counts to the side that starts there."""
        return self.num_points if self.points_on == "side" else self.num_points // 4


def irregular_mask(generator: np.random.Generator, height: int, width: int, box: Box, shape: IrregularShape) -> Mask:
    """The filled outline around ``box`` (xyxy pixels, inside the picture); covers every pixel of the box."""
    points = outline(generator, height, width, box, shape)
    mask = np.zeros((height, width), dtype=np.uint8)
    fixed = np.rint(points * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(mask, [fixed], (1,), shift=_SUBPIXEL_BITS)
    return mask


def outline(
    generator: np.random.Generator, height: int, width: int, box: Box, shape: IrregularShape
) -> Float64[np.ndarray, "num_points 2"]:
    """The polygon's corners, x and y in pixels, clockwise from the box's top left corner.

    For side s from corner P0 to corner P2 with the swollen midpoint P1, the points are
    ``(1−t)² P0 + 2t(1−t) P1 + t² P2`` at t = i / n, i = 0 … n−1, plus the jitter.
    """
    left, top = math.floor(box.x0), math.floor(box.y0)
    # Pixel centres: the box's last column is the one before its open end.
    right, bottom = max(left, math.ceil(box.x1) - 1), max(top, math.ceil(box.y1) - 1)
    num = shape.points_per_side
    draws = generator.random(4 + 8 * num)
    swell_left, swell_top, swell_right, swell_bottom = (draws[:4] * shape.bulge).tolist()
    mid_x, mid_y = (left + right) / 2, (top + bottom) / 2
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float64)
    controls = np.array(
        [
            [mid_x, top - swell_top * top],
            [right + swell_right * (width - 1 - right), mid_y],
            [mid_x, bottom + swell_bottom * (height - 1 - bottom)],
            [left - swell_left * left, mid_y],
        ]
    )
    anchors = np.stack([corners, controls, corners[[1, 2, 3, 0]]], axis=1)
    points = (_bernstein(num) @ anchors).reshape(4 * num, 2)
    reach = shape.jitter * math.sqrt(height * width) / shape.reference_side
    points += (draws[4:].reshape(4 * num, 2) * 2 - 1) * reach
    _keep_outside(points.reshape(4, num, 2), left, top, right, bottom)
    return np.clip(points, 0.0, (width - 1, height - 1), out=points)


@cache
def _bernstein(num: int) -> Float64[np.ndarray, "num_points 3"]:
    t = np.arange(num) / num
    return np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2], axis=1)


def _keep_outside(points: Float64[np.ndarray, "4 num_points 2"], left: int, top: int, right: int, bottom: int) -> None:
    """Push points out of the box: top, right, bottom and left side in turn, a corner out of both its sides."""
    sides = ((0, 1, np.minimum, top), (1, 0, np.maximum, right), (2, 1, np.maximum, bottom), (3, 0, np.minimum, left))
    for index, axis, outwards, edge in sides:
        for place in (points[index, :, axis], points[(index + 1) % 4, :1, axis]):
            outwards(place, edge, out=place)
