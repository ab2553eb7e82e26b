"""The painted surface of one object, inside its window: pattern, details, light, rim and its shadow.

The light comes from the upper left. Lengths are in radii of the object.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from jaxtyping import UInt8

from cologen.datagen.rle import Mask
from cologen.datagen.world.objects import SceneObject, Window, fill, window
from cologen.datagen.world.outlines import outline
from cologen.datagen.world.patterns import pattern
from cologen.datagen.world.tones import Field, colored, object_ramp
from cologen.datagen.world.vocabulary import COLORS

Coverage = UInt8[np.ndarray, "side side"]
"""How much of a pixel is inside, 0 to 255."""

_SHADOW_RIGHT, _SHADOW_DOWN, _SHADOW_BLUR, _SHADOW_STRENGTH = 0.05, 0.1, 0.09, 0.45
_RIM_WIDTH, _RIM_TONE = 0.06, -0.2
_RELIEF_WIDTH, _RELIEF_TONE = 0.16, 0.2
_SLOPE_TONE = -0.06
_BASE_TONE = 0.53
"""A little above the named colour's 0.5, because rim and slope take some light away."""


def paint_object(picture: UInt8[np.ndarray, "height width 3"], thing: SceneObject) -> None:
    """Draw the object with its shadow into the picture, over what is there."""
    height, width = picture.shape[:2]
    at = window(thing, width, height)
    place, inner = at.crop(width, height)
    coverage = fill(outline(thing.shape).loops, thing.angle, at)
    paint = colored(_tones(thing, at, coverage), object_ramp(COLORS[thing.color]))[inner]
    solid = _share(coverage[inner])
    dark = np.float32(_SHADOW_STRENGTH) * _share(_shadow(coverage, at.radius)[inner])
    shaded = cv2.blendLinear(picture[place], np.zeros_like(paint), 1 - dark, dark)
    picture[place] = cv2.blendLinear(paint, shaded, solid, 1 - solid)


def reach(thing: SceneObject, width: int, height: int) -> Mask:
    """The pixels that drawing the object can change: those its silhouette or its shadow touches."""
    at = window(thing, width, height)
    place, inner = at.crop(width, height)
    coverage = fill(outline(thing.shape).loops, thing.angle, at)
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[place] = (coverage | _shadow(coverage, at.radius))[inner] > 0
    return mask


def _tones(thing: SceneObject, at: Window, coverage: Coverage) -> Field:
    """All that is painted inside the silhouette, as tones around 0.5."""
    x = ((np.arange(at.side, dtype=np.float32) + np.float32(at.x0 + 0.5 - at.center_x)) / np.float32(at.radius))[
        None, :
    ]
    y = ((np.arange(at.side, dtype=np.float32) + np.float32(at.y0 + 0.5 - at.center_y)) / np.float32(at.radius))[
        :, None
    ]
    turn = math.radians(thing.angle)
    cosine, sine = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    tones = pattern(thing.texture, thing.grain, x * cosine + y * sine, y * cosine - x * sine, 1 / at.radius)
    for mark in outline(thing.shape).marks:
        tones += (np.float32(mark.tone / 2) - tones) * _share(fill((mark.loop,), thing.angle, at))
    return np.float32(_BASE_TONE) + tones + _relief(coverage, at.radius) + np.float32(_SLOPE_TONE) * y


def _relief(coverage: Coverage, radius: float) -> Field:
    """A rounded edge, bright where it faces the light and dark where it turns away, with a dark rim."""
    soft = _share(_blurred(coverage, _RELIEF_WIDTH * radius))
    step = max(1, round(_RELIEF_WIDTH * radius * 0.6))
    relief = np.zeros_like(soft)
    # Towards the lower right the coverage rises on an edge that faces the light.
    relief[step:-step, step:-step] = soft[2 * step :, 2 * step :] - soft[: -2 * step, : -2 * step]
    size = 2 * max(1, round(_RIM_WIDTH * radius)) + 1
    core = cv2.erode(coverage, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))).astype(np.uint8, copy=False)
    return np.float32(_RELIEF_TONE) * relief + np.float32(_RIM_TONE) * (1 - _share(core))


def _shadow(coverage: Coverage, radius: float) -> Coverage:
    """The silhouette, shifted away from the light and blurred."""
    right, down = max(1, round(_SHADOW_RIGHT * radius)), max(1, round(_SHADOW_DOWN * radius))
    moved = np.zeros_like(coverage)
    moved[down:, right:] = coverage[:-down, :-right]
    return _blurred(moved, _SHADOW_BLUR * radius)


def _blurred(coverage: Coverage, width: float) -> Coverage:
    """Two box blurs of ``width`` pixels to each side: close to a Gaussian, and in whole numbers."""
    kernel = (2 * max(1, round(width)) + 1,) * 2
    return cv2.blur(cv2.blur(coverage, kernel), kernel).astype(np.uint8, copy=False)


def _share(coverage: UInt8[np.ndarray, "height width"]) -> Field:
    return coverage * np.float32(1 / 255)
