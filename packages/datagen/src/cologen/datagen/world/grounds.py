"""The textured grounds, each a field of tones and a ramp of colours, of the same pattern at every picture size.

Lengths are in units of the picture's shorter side. The last bit of a pixel may differ between kinds of processors,
where OpenCV interpolates noise with other instructions; masks and all other annotations do not depend on the ground.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from cologen.datagen.randomness import generator
from cologen.datagen.world.tones import Field, colored, ramp, wave
from cologen.datagen.world.vocabulary import RGB


@dataclass(frozen=True, slots=True)
class _Canvas:
    """An empty picture, its own stream of randomness and its coordinates, ``u`` to the right and ``v`` down."""

    draw: np.random.Generator
    width: int
    height: int
    u: Float32[np.ndarray, "1 width"]
    v: Float32[np.ndarray, "height 1"]

    @property
    def pixel(self) -> float:
        """The side of a pixel."""
        return 1 / min(self.width, self.height)

    def noise(self, across: int | float, down: int | float) -> Field:
        """Smooth noise in [-1, 1] with so many cells per unit across and down."""
        columns = max(2, round(across * self.width * self.pixel))
        rows = max(2, round(down * self.height * self.pixel))
        lattice = self.draw.random((rows, columns), dtype=np.float32) * 2 - 1
        shrinks = columns > self.width or rows > self.height
        method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        return cv2.resize(lattice, (self.width, self.height), interpolation=method).astype(np.float32, copy=False)


def paint_ground(ground: str, seed: int, key: str, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
    """The ground of the scene ``(seed, key)`` in sRGB, with a tint and a light of its own."""
    draw = generator(seed, "ground", key)
    pixel = 1 / min(width, height)
    u = ((np.arange(width, dtype=np.float32) + 0.5) * pixel)[None, :]
    v = ((np.arange(height, dtype=np.float32) + 0.5) * pixel)[:, None]
    tint = draw.normal(1, 0.025, size=3) * draw.normal(1, 0.04)
    slope_u, slope_v = draw.uniform(-0.09, 0.09, size=2)
    pattern, stops = _GROUNDS[ground]
    field = pattern(_Canvas(draw, width, height, u, v))
    field += np.float32(slope_u) * (u - 0.5)
    field += np.float32(slope_v) * (v - 0.5)
    return colored(field, ramp([[channel * t for channel, t in zip(stop, tint, strict=True)] for stop in stops]))


def _grass(on: _Canvas) -> Field:
    blades = 0.26 * on.noise(110, 26) + 0.16 * on.noise(60, 14)
    return 0.5 + 0.22 * on.noise(3, 3) + blades


def _sand(on: _Canvas) -> Field:
    drift = on.noise(2.5, 4)
    ripples = wave(on.v * 15 + 0.9 * drift + 0.4 * on.noise(5, 5))
    return 0.52 + 0.12 * drift + 0.14 * ripples + 0.16 * on.noise(200, 200)


def _water(on: _Canvas) -> Field:
    swell = on.noise(4, 9)
    crests = wave(on.v * 11 + 1.1 * swell + 0.3 * on.noise(9, 16))
    return 0.42 + 0.12 * swell + 0.2 * np.abs(crests) ** 3 + 0.1 * on.noise(14, 50)


def _brick(on: _Canvas) -> Field:
    return _courses(on, rows=9, columns=4, joint=0.006, bond=0.5) + 0.05 * on.noise(120, 120)


def _tile(on: _Canvas) -> Field:
    return _courses(on, rows=4, columns=4, joint=0.005, bond=0.0) + 0.06 * on.noise(4, 4) + 0.025 * on.noise(90, 90)


def _wood(on: _Canvas) -> Field:
    knots = on.noise(1.2, 9)
    grain = 0.1 * wave(on.v * 26 + 2.2 * knots) + 0.1 * on.noise(9, 150)
    return _courses(on, rows=5, columns=0.6, joint=0.003, bond=0.37) * np.float32(0.9) + 0.05 + grain + 0.05 * knots


def _snow(on: _Canvas) -> Field:
    return 0.68 + 0.2 * on.noise(2.5, 3.5) + 0.1 * on.noise(7, 9) + 0.06 * on.noise(180, 180)


def _sky(on: _Canvas) -> Field:
    billows = on.noise(2.2, 3) + 0.5 * on.noise(5, 7) + 0.25 * on.noise(11, 15) + 0.12 * on.noise(24, 30)
    return 0.1 + 0.28 * on.v + 0.6 * np.clip(billows - 0.1, 0, 0.9)


def _gravel(on: _Canvas) -> Field:
    """Pebbles: the cells nearest to jittered points, each of its own tone, dark where cells meet."""
    columns, rows = round(24 * on.width * on.pixel), round(24 * on.height * on.pixel)
    jitter = on.draw.random((2, rows, columns))
    x = ((np.arange(columns) + 0.15 + 0.7 * jitter[0]) * on.width / columns).astype(np.intp).ravel()
    y = ((np.arange(rows)[:, None] + 0.15 + 0.7 * jitter[1]) * on.height / rows).astype(np.intp).ravel()
    seeds = np.ones((on.height, on.width), dtype=np.uint8)
    seeds[y, x] = 0
    distance, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    label = labels.astype(np.intp)
    # Labels are numbered in the order in which the pixels are met; tones belong to the points.
    tones = np.zeros(label.max() + 1, dtype=np.float32)
    tones[label[y, x]] = on.draw.uniform(0.3, 0.8, size=columns * rows)
    roundness = distance.astype(np.float32, copy=False) * np.float32(on.pixel * 24)
    return tones[label] + 0.12 - 0.55 * roundness * roundness + 0.08 * on.noise(120, 120)


def _carpet(on: _Canvas) -> Field:
    weave = 0.09 * wave(on.u * 48) * wave(on.v * 48) + 0.08 * on.noise(150, 150)
    diamonds = np.abs(wave(on.u * 3) + wave(on.v * 3))
    band = np.clip((np.abs(diamonds - 0.5) - 0.08) * 20, 0, 1)
    return 0.62 - 0.28 * band + weave + 0.06 * on.noise(4, 4)


def _courses(on: _Canvas, rows: int, columns: int | float, joint: float, bond: float) -> Field:
    """Rows of blocks of their own tones around 0.65, bright or dark joints of tone 0 between them.

    Each row is shifted against the one above by ``bond`` blocks; ``joint`` is half a joint's width.
    """
    up = on.v * rows + np.float32(on.draw.random())
    row = np.floor(up).astype(np.intp)
    shifts = on.draw.random() + bond * np.arange(row.max() + 1)
    along = on.u * columns + shifts[row].astype(np.float32)
    column = np.floor(along).astype(np.intp)
    tones = on.draw.uniform(0.5, 0.85, size=(int(row.max()) + 1, int(column.max()) + 1)).astype(np.float32)
    to_side = np.minimum(_to_edge(along) / columns, _to_edge(up) / rows)
    inside = np.clip((to_side - joint) / max(on.pixel, 0.4 * joint) + 0.5, 0, 1)
    return tones[row, column] * inside


def _to_edge(x: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """The distance to the nearest whole number."""
    return np.abs(x - np.round(x))


_GROUNDS: dict[str, tuple[Callable[[_Canvas], Field], tuple[RGB, ...]]] = {
    "grass": (_grass, ((34, 72, 30), (74, 124, 48), (122, 166, 70), (176, 204, 110))),
    "sand": (_sand, ((176, 140, 92), (222, 192, 138), (244, 224, 178))),
    "water": (_water, ((14, 62, 112), (36, 108, 168), (92, 168, 208), (212, 238, 246))),
    "brick": (_brick, ((206, 196, 184), (168, 120, 104), (158, 82, 64), (176, 98, 76), (192, 116, 92))),
    "wood": (_wood, ((70, 42, 26), (128, 84, 50), (170, 122, 78), (208, 164, 114))),
    "snow": (_snow, ((148, 172, 206), (196, 212, 232), (228, 235, 245), (250, 251, 255))),
    "sky": (_sky, ((86, 152, 222), (132, 186, 236), (190, 218, 244), (250, 251, 254))),
    "gravel": (_gravel, ((62, 60, 58), (116, 113, 110), (160, 157, 152), (204, 200, 194))),
    "carpet": (_carpet, ((66, 34, 84), (104, 62, 122), (152, 112, 160), (206, 176, 202))),
    "tile": (_tile, ((122, 128, 130), (186, 196, 196), (212, 220, 216), (236, 240, 234))),
}
