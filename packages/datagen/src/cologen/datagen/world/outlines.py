"""The silhouette of every shape as polygons, in a circle of radius 1 around the origin; x to the right, y down."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float64

Loop = Float64[np.ndarray, "_ 2"]
"""Corners; the loops of one silhouette differ in their number."""

Number = int | float
Points = list[tuple[Number, Number]]


@dataclass(frozen=True, slots=True)
class Mark:
    """A detail inside the silhouette (a door, an eye); ``tone`` darkens below 0 and lightens above, in [-1, 1]."""

    loop: Loop
    tone: float


@dataclass(frozen=True, slots=True)
class Outline:
    """The loops of a silhouette, filled by the even-odd rule, its details and its area (the unit circle has π)."""

    loops: tuple[Loop, ...]
    marks: tuple[Mark, ...]
    area: float


@cache
def outline(shape: str) -> Outline:
    """The silhouette of one of ``vocabulary.SHAPES``, its farthest point from the middle of its box at distance 1."""
    loops, marks = _DRAWINGS[shape]()
    body = np.asarray(loops[0], dtype=np.float64)
    center = (body.min(axis=0) + body.max(axis=0)) / 2
    radius = np.hypot(*(body - center).T).max()
    unit_loops = tuple((np.asarray(loop) - center) / radius for loop in loops)
    unit_marks = tuple(Mark((np.asarray(points) - center) / radius, tone) for points, tone in marks)
    areas = [_shoelace(loop) for loop in unit_loops]
    return Outline(unit_loops, unit_marks, areas[0] - sum(areas[1:]))


def _shoelace(loop: Loop) -> float:
    following = np.roll(loop, -1, axis=0)
    return abs(float(np.sum(loop[:, 0] * following[:, 1] - loop[:, 1] * following[:, 0]))) / 2


_Drawing = tuple[list[Points], list[tuple[Points, Number]]]
"""The body first, then its holes; then the marks with their tones."""


def _arc(
    x: Number, y: Number, radius_x: Number, radius_y: Number, start: Number, stop: Number, points: int = 24
) -> Points:
    """From one angle to another in degrees: 0 is to the right, 90 down."""
    angles = [math.radians(start + (stop - start) * i / (points - 1)) for i in range(points)]
    return [(x + radius_x * math.cos(a), y + radius_y * math.sin(a)) for a in angles]


def _circle(x: Number, y: Number, radius: Number) -> Points:
    return _arc(x, y, radius, radius, 0, 354, 60)


def _rectangle(x0: Number, y0: Number, x1: Number, y1: Number, corner: Number) -> Points:
    return [
        *_arc(x1 - corner, y0 + corner, corner, corner, -90, 0, 6),
        *_arc(x1 - corner, y1 - corner, corner, corner, 0, 90, 6),
        *_arc(x0 + corner, y1 - corner, corner, corner, 90, 180, 6),
        *_arc(x0 + corner, y0 + corner, corner, corner, 180, 270, 6),
    ]


def _mirrored(right: Points) -> Points:
    """A symmetric loop from its right half, given from top to bottom."""
    return [*right, *((-x, y) for x, y in reversed(right))]


def _ball() -> _Drawing:
    return [_circle(0, 0, 1)], [(_arc(-0.38, -0.4, 0.24, 0.2, 0, 345, 24), 0.75)]


def _box() -> _Drawing:
    return [_rectangle(-1, -1, 1, 1, 0.12)], [(_rectangle(-1.2, -0.52, 1.2, -0.42, 0.02), -0.5)]


def _star() -> _Drawing:
    radii = [1.0 if i % 2 == 0 else 0.48 for i in range(10)]
    return [[(r * math.sin(i * math.pi / 5), -r * math.cos(i * math.pi / 5)) for i, r in enumerate(radii)]], []


def _heart() -> _Drawing:
    # The classic curve x = 16 sin³, y = 13 cos - 5 cos 2· - 2 cos 3· - cos 4·.
    turns = [2 * math.pi * i / 72 for i in range(72)]
    y = [-(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) for t in turns]
    return [[(16 * math.sin(t) ** 3, height) for t, height in zip(turns, y, strict=True)]], []


def _ring() -> _Drawing:
    return [_circle(0, 0, 1), _circle(0, 0, 0.52)], []


def _arrow() -> _Drawing:
    return [[(1, 0), (0.15, 0.75), (0.15, 0.3), (-1, 0.3), (-1, -0.3), (0.15, -0.3), (0.15, -0.75)]], []


def _moon() -> _Drawing:
    return [[*_arc(0, 0, 1, 1, 65, 295, 40), *_arc(0.5, 0, 0.915, 0.915, 262, 98, 32)]], []


def _flower() -> _Drawing:
    """Six round petals: discs of radius 0.4 around points at 0.6, seen from the middle."""
    off_petal = [abs((6 * i / 96 + 0.5) % 1 - 0.5) * math.pi / 3 for i in range(96)]
    reach = [0.6 * math.cos(off) + math.sqrt(0.4**2 - (0.6 * math.sin(off)) ** 2) for off in off_petal]
    turns = [2 * math.pi * i / 96 for i in range(96)]
    petals = [(r * math.cos(t), r * math.sin(t)) for t, r in zip(turns, reach, strict=True)]
    return [petals], [(_circle(0, 0, 0.3), 0.75)]


def _leaf() -> _Drawing:
    blade = [*_arc(-0.75, -0.15, 1.25, 1.25, -47, 47, 24)]
    right = [(x, y) for x, y in blade if x > 0.09]
    vein = [(0.035, -0.6), (0.06, 0.95), (-0.06, 0.95), (-0.035, -0.6)]
    return [_mirrored([(0.0, -1.1), *right, (0.07, 0.78), (0.07, 1.15)])], [(vein, -0.45)]


def _cross() -> _Drawing:
    arm = 0.36
    return [_mirrored([(arm, -1), (arm, -arm), (1, -arm), (1, arm), (arm, arm), (arm, 1)])], []


def _drop() -> _Drawing:
    return [_mirrored([(0.0, -1.45), (0.16, -1.08), *_arc(0, 0.1, 0.8, 0.8, -42, 90, 30)])], []


def _house() -> _Drawing:
    body = [(0, -1), (0.36, -0.66), (0.36, -0.95), (0.62, -0.95), (0.62, -0.42), (1.05, -0.02), (0.8, -0.02)]
    body += [(0.8, 0.9), (-0.8, 0.9), (-0.8, -0.02), (-1.05, -0.02)]
    door = [(-0.12, 0.9), (-0.12, 0.28), (-0.5, 0.28), (-0.5, 0.9)]
    return [body], [(door, -0.55), (_rectangle(0.14, 0.14, 0.54, 0.5, 0.03), 0.7)]


def _tree() -> _Drawing:
    crown = [(0.0, -1.1), (0.48, -0.48), (0.27, -0.48), (0.68, 0.1), (0.42, 0.1), (0.88, 0.72)]
    trunk = [(0.17, 0.72), (0.17, 1.1), (-0.17, 1.1), (-0.17, 0.72)]
    return [_mirrored([*crown, *trunk[:2]])], [(trunk, -0.55)]


def _fish() -> _Drawing:
    upper = _arc(0.2, 0.35, 0.95, 0.85, 205, 336, 24)
    lower = [(x, -y) for x, y in reversed(upper)]
    tail = [(-1.15, 0.52), (-0.98, 0.0), (-1.15, -0.52)]
    return [[*upper, *lower, *tail]], [(_circle(0.66, -0.1, 0.085), -0.8)]


def _mug() -> _Drawing:
    body = [(-0.75, -0.8), (0.45, -0.8), (0.45, -0.5), *_arc(0.45, 0, 0.55, 0.5, -90, 90, 24)]
    body += [(0.45, 0.66), (0.34, 0.8), (-0.64, 0.8), (-0.75, 0.66)]
    handle_hole = [(0.47, -0.26), *_arc(0.47, 0, 0.26, 0.26, -90, 90, 16), (0.47, 0.26)]
    return [body, handle_hole], [(_rectangle(-0.66, -0.7, 0.36, -0.56, 0.06), -0.5)]


def _mushroom() -> _Drawing:
    stem = [(0.3, 0.08), (0.36, 0.9), (-0.36, 0.9), (-0.3, 0.08)]
    cap = _arc(0, 0.08, 1, 0.95, -90, 0, 24)
    return [_mirrored([*cap, *stem[:2]])], [(stem, 0.6)]


_DRAWINGS: dict[str, Callable[[], _Drawing]] = {
    "ball": _ball,
    "box": _box,
    "star": _star,
    "heart": _heart,
    "ring": _ring,
    "arrow": _arrow,
    "moon": _moon,
    "flower": _flower,
    "leaf": _leaf,
    "cross": _cross,
    "drop": _drop,
    "house": _house,
    "tree": _tree,
    "fish": _fish,
    "mug": _mug,
    "mushroom": _mushroom,
}
