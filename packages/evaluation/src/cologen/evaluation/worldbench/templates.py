"""Silhouettes of every shape of a level at every turn, in one small square, to be laid over what a picture shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float32

from cologen.datagen.world.levels import LEVELS, LevelName
from cologen.datagen.world.objects import Window, fill
from cologen.datagen.world.outlines import outline
from cologen.datagen.world.vocabulary import SHAPES

SIDE, RADIUS = 14, 5.5
"""Of a template's square and of the circle around its silhouette, in template pixels."""
FINE_RADIUS = 40.0
"""The same radius in the fine silhouettes that poses are refined with."""

_STEP = 12.0
"""Degrees between turns, at most."""
ROUND = ("ball", "ring")
"""Shapes that look the same at every turn."""
_PERIODS = {"star": 72.0, "flower": 60.0, "cross": 90.0, "box": 90.0}
"""After how many degrees a shape looks the same."""
_FINE_SIDE = 104


@dataclass(frozen=True, slots=True)
class Templates:
    """``shapes[i]`` turned by ``angles[i]`` degrees covers ``coverage[:, i]`` of the square, each in [0, 1]."""

    shapes: tuple[str, ...]
    angles: tuple[float, ...]
    coverage: Float32[np.ndarray, "pixels templates"]
    squared: Float32[np.ndarray, "pixels templates"]


@cache
def templates(level: LevelName) -> Templates:
    """All templates of a level, those of one shape side by side."""
    turned = [(shape, angle) for shape in LEVELS[level].shapes for angle in _angles(shape, level)]
    covered = [silhouette(shape, SIDE / 2, SIDE / 2, RADIUS, angle, SIDE).ravel() for shape, angle in turned]
    shapes, angles = zip(*turned, strict=True)
    coverage = np.stack(covered, axis=1).astype(np.float32)
    return Templates(shapes, angles, coverage, coverage**2)


@cache
def fine_silhouette(shape: str) -> Float32[np.ndarray, "side side"]:
    """The coverage of an unturned shape in its square, its middle at the square's."""
    at = Window(0, 0, _FINE_SIDE, _FINE_SIDE / 2, _FINE_SIDE / 2, FINE_RADIUS)
    return (fill(outline(shape).loops, 0.0, at) / 255).astype(np.float32)


def silhouette(
    shape: str, x: float, y: float, radius: float, angle: float, side: int
) -> Float32[np.ndarray, "side side"]:
    """The coverage of a shape in a square of ``side`` pixels: middle and radius in pixels, the turn in degrees."""
    turn = math.radians(angle)
    # From pixels of the square to pixels of the fine silhouette: shifted, turned back, enlarged.
    grow = FINE_RADIUS / radius
    cosine, sine = math.cos(turn) * grow, math.sin(turn) * grow
    center = _FINE_SIDE / 2 - 0.5
    from_x, from_y = x - 0.5, y - 0.5
    to_fine = np.array(
        [
            [cosine, sine, center - cosine * from_x - sine * from_y],
            [-sine, cosine, center + sine * from_x - cosine * from_y],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(_softened(shape, round(grow)), to_fine, (side, side), flags=flags).astype(
        np.float32, copy=False
    )


@cache
def _softened(shape: str, width: int) -> Float32[np.ndarray, "side side"]:
    """The fine silhouette averaged over squares as large as the pixels that will read it.

    Where the renderer's subpixels are cut by an outline they count as inside, so its silhouettes are about an eighth of
    a pixel larger all around, which is a quarter of a pixel that is half covered.
    """
    soft = cv2.blur(fine_silhouette(shape), (max(width, 1), max(width, 1)))
    return np.minimum(soft * np.float32(1.25), 1).astype(np.float32, copy=False)


def _angles(shape: str, level: LevelName) -> tuple[float, ...]:
    """Turns that the level's objects have, about evenly spaced, and no two that look the same."""
    largest, period = SHAPES[shape].tilt * LEVELS[level].tilt, _PERIODS.get(shape, 360.0)
    if shape in ROUND:
        return (0.0,)
    if 2 * largest >= period:
        return tuple(np.arange(0, period, period / math.ceil(period / _STEP)).tolist())
    return tuple(np.linspace(-largest, largest, 1 + math.ceil(2 * largest / _STEP)).tolist())
