"""Which texture an object has: what is left of its tones without a plain object's shading, compared with patterns.

Speckles have no lattice, so they are what differs from plain and matches no other pattern.
"""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from cologen.datagen.world.levels import LEVELS, LevelName
from cologen.datagen.world.objects import SceneObject
from cologen.datagen.world.patterns import pattern
from cologen.datagen.world.surfaces import paint_object
from cologen.datagen.world.tones import object_ramp
from cologen.datagen.world.vocabulary import COLORS
from cologen.evaluation.records import Picture
from cologen.evaluation.worldbench.fitting import Fit

_ACROSS = 22
"""Places across the circle around an object at which tones are compared."""
_GRAINS = 240
"""Turns and shifts that each pattern is tried with."""
_PLAIN_SPREAD = 0.05
"""The standard deviation of a plain object's tones around their shading, at most; a pattern's contrast is 0.2."""
_SPECKLED_SPREAD = 0.075
"""The same of a speckled object, at least."""
_MATCH = 0.45
"""The correlation below which a pattern that has a lattice does not match."""

Tones = Float32[np.ndarray, "across across"]


def texture_of(
    picture: Picture, fit: Fit, color: str, pixels: Bool[np.ndarray, "height width"], level: LevelName
) -> str:
    """The likeliest of the level's textures on the visible ``pixels`` of a fitted object of this colour."""
    kinds = LEVELS[level].textures
    if len(kinds) == 1:
        return kinds[0]
    core = cv2.erode(pixels.astype(np.uint8), np.ones((3, 3), dtype=np.uint8)).astype(np.float32)
    rest = _tones(picture, color) - _tones(_plain(fit, color, picture.shape[:2]), color)
    weights = _straightened(core, fit)
    if weights.sum() < _ACROSS:
        return kinds[0]
    rest = _straightened(rest, fit)
    rest = (rest - np.average(rest, weights=weights)) * weights
    contrast = math.sqrt(float((rest**2).sum() / (weights**2).sum()))
    if contrast < _PLAIN_SPREAD:
        return kinds[0]
    names, bank = _patterns(kinds)
    spread = np.sqrt((bank**2) @ (weights.ravel() ** 2) * (rest**2).sum())
    matches = bank @ (rest * weights).ravel() / spread.clip(1e-9)
    best = int(matches.argmax())
    if matches[best] >= _MATCH:
        return names[best // _GRAINS]
    return "speckled" if "speckled" in kinds and contrast >= _SPECKLED_SPREAD else kinds[0]


@cache
def _patterns(kinds: tuple[str, ...]) -> tuple[tuple[str, ...], Float32[np.ndarray, "patterns places"]]:
    """The patterns that have a lattice, each at many turns and shifts."""
    names = tuple(name for name in kinds if name not in ("plain", "speckled"))
    places = (np.arange(_ACROSS, dtype=np.float32) + np.float32(0.5)) * np.float32(2 / _ACROSS) - 1
    u, v = np.broadcast_arrays(places[None, :], places[:, None])
    drawn = [pattern(name, grain, u, v, 0.1).ravel() for name in names for grain in range(_GRAINS)]
    return names, np.stack(drawn).astype(np.float32)


def _tones(picture: Picture, color: str) -> Float32[np.ndarray, "height width"]:
    """Each pixel's tone on the colour's ramp, by its lightness alone."""
    lightness = object_ramp(COLORS[color]).astype(np.float32).mean(axis=1)
    return np.interp(picture.mean(axis=-1), lightness, np.linspace(0, 1, len(lightness))).astype(np.float32)


def _plain(fit: Fit, color: str, size: tuple[int, int]) -> Picture:
    """The fitted object without a texture."""
    height, width = size
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    thing = SceneObject(
        shape=fit.shape,
        color=color,
        size="large",
        texture="plain",
        x=fit.x / width,
        y=fit.y / height,
        scale=fit.radius / min(height, width),
        angle=fit.angle,
        depth=0.5,
        grain=0,
    )
    paint_object(canvas, thing)
    return canvas


def _straightened(field: Float32[np.ndarray, "height width"], fit: Fit) -> Tones:
    """The field over the object's own unturned square, from -1 to 1 in radii."""
    turn, step = math.radians(fit.angle), 2 * fit.radius / _ACROSS
    cosine, sine, middle = math.cos(turn) * step, math.sin(turn) * step, (_ACROSS - 1) / 2
    x, y = fit.x - 0.5, fit.y - 0.5
    to_picture = np.array([[cosine, -sine, x - (cosine - sine) * middle], [sine, cosine, y - (sine + cosine) * middle]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(field, to_picture, (_ACROSS, _ACROSS), flags=flags).astype(np.float32, copy=False)
