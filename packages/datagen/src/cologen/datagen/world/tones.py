"""Colour from tone: everything is painted as one number per pixel and coloured by a ramp of 256 steps.

A tone is a float in [0, 1]. A field is a picture of tones.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from cologen.datagen.world.vocabulary import RGB

Field = Float32[np.ndarray, "height width"]
Channels = Sequence[int] | Sequence[float]
"""Red, green and blue in sRGB, 0 to 255."""

Ramp = UInt8[np.ndarray, "256 3"]


def ramp(stops: Sequence[Channels]) -> Ramp:
    """Evenly spaced sRGB colours with straight lines between them, from tone 0 to tone 1."""
    places = np.linspace(0, 1, len(stops))
    steps = np.linspace(0, 1, 256)
    channels = [np.interp(steps, places, channel) for channel in np.asarray(stops, dtype=np.float64).T]
    return np.round(np.stack(channels, axis=1)).clip(0, 255).astype(np.uint8)


def mixed(color: Channels, other: Channels, share: float) -> tuple[float, ...]:
    """``share`` of the other colour in this one, per sRGB channel."""
    return tuple(a + (b - a) * share for a, b in zip(color, other, strict=True))


def object_ramp(color: RGB) -> Ramp:
    """From the colour's shadow over the colour itself, at tone 0.5, to its highlight.

    Dark colours get a modest highlight and pale ones a modest shadow, or black would look gray, and white too.
    """
    paleness = sum(color) / 765
    shadow = mixed(mixed(color, (0, 0, 0), 0.85 - 0.35 * paleness), (30, 20, 60), 0.1)
    return ramp((shadow, color, mixed(color, (255, 255, 250), 0.35 + 0.45 * paleness)))


def colored(field: Field, colors: Ramp) -> UInt8[np.ndarray, "height width 3"]:
    """The field's pixels in the ramp's colours; tones outside [0, 1] are clipped."""
    steps = cv2.convertScaleAbs(np.maximum(field, 0), alpha=255)
    return cv2.applyColorMap(steps, colors[:, None, :]).astype(np.uint8, copy=False)


def wave(x: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """A sine of period 1 made of parabolas, in [-1, 1]: it only multiplies, so every machine agrees."""
    phase = x - np.floor(x) - np.float32(0.5)
    return phase * (16 * np.abs(phase) - 8)
