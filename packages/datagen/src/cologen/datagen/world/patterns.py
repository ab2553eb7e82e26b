"""The textures of objects: fields of tones around 0 over the object's own coordinates, in radii."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from cologen.datagen.randomness import generator
from cologen.datagen.world.tones import Field, wave

_CONTRAST = 0.2
_PERIOD_LOST = 3.0
"""A pattern of which a period spans fewer pixels fades away instead of flickering."""


def pattern(texture: str, grain: int, u: Field, v: Field, pixel: float) -> Field:
    """The texture's tones at ``(u, v)``, turned and shifted by the grain; ``pixel`` is a pixel's side in radii."""
    draw = generator(grain, "texture")
    turn, phase = draw.uniform(0, math.pi), np.float32(draw.random())
    cosine, sine = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    along, across = u * cosine + v * sine, v * cosine - u * sine
    per_radius, drawn = _PATTERNS[texture]
    scale = np.float32(per_radius)
    tones = drawn(along * scale + phase, across * scale + phase, per_radius * pixel, draw)
    return tones * np.float32(_CONTRAST * min(1, 1 / (_PERIOD_LOST * per_radius * pixel)))


# Each takes coordinates of which the pattern's period is 1, and a pixel's side in them.


def _plain(x: Field, y: Field, pixel: float, draw: np.random.Generator) -> Field:
    return np.zeros_like(x)


def _striped(x: Field, y: Field, pixel: float, draw: np.random.Generator) -> Field:
    return _bands(x, pixel)


def _wavy(x: Field, y: Field, pixel: float, draw: np.random.Generator) -> Field:
    return _bands(x + np.float32(0.35) * wave(y * np.float32(0.5)), pixel)


def _checkered(x: Field, y: Field, pixel: float, draw: np.random.Generator) -> Field:
    return _bands(x, pixel) * _bands(y, pixel)


def _dotted(x: Field, y: Field, pixel: float, draw: np.random.Generator) -> Field:
    """Light discs on a lattice, the rest a little darker, so that the mean stays 0."""
    radius = 0.3
    dx, dy = x - np.round(x), y - np.round(y)
    inside = (np.float32(radius) - np.sqrt(dx * dx + dy * dy)) / np.float32(max(pixel, 0.02))
    return np.float32(2.2) * (np.clip(inside + np.float32(0.5), 0, 1) - np.float32(math.pi * radius**2))


def _speckled(x: Field, y: Field, pixel: float, draw: np.random.Generator) -> Field:
    """Small irregular flecks, light and dark, where smooth noise is high or low."""
    lattice = cv2.resize(draw.random((26, 26), dtype=np.float32), (208, 208), interpolation=cv2.INTER_CUBIC)
    noise = cv2.remap(lattice, x * 16 + 96, y * 16 + 96, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    light, dark = (noise - np.float32(0.72)) * 8, (np.float32(0.28) - noise) * 8
    return (np.clip(light, 0, 1) - np.clip(dark, 0, 1)).astype(np.float32, copy=False) * np.float32(1.6)


def _bands(x: Field, pixel: float) -> Field:
    """Bands of 1 and -1, half a period each, softened over a pixel."""
    return np.clip((np.abs(x - np.round(x)) - np.float32(0.25)) * np.float32(2 / max(pixel, 0.02)), -1, 1)


_PATTERNS: dict[str, tuple[float, Callable[[Field, Field, float, np.random.Generator], Field]]] = {
    "plain": (1.0, _plain),
    "striped": (2.3, _striped),
    "dotted": (2.6, _dotted),
    "checkered": (2.0, _checkered),
    "speckled": (5.0, _speckled),
    "wavy": (2.3, _wavy),
}
"""Periods per radius, and the drawing."""
