"""How likely a pixel's colour is for each ground and each object colour: histograms of what the renderer paints.

The histograms have 32 bins a channel. They are smoothed by about a bin, so that noise, blur and compression move a
pixel to a likely neighbour and not to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float32, Int64, UInt8
from scipy.ndimage import gaussian_filter

from cologen.datagen.randomness import generator
from cologen.datagen.world.grounds import paint_ground
from cologen.datagen.world.levels import LEVELS, LevelName
from cologen.datagen.world.objects import SceneObject, full_mask
from cologen.datagen.world.surfaces import paint_object
from cologen.datagen.world.vocabulary import GROUNDS

_BITS = 5
_BINS = 1 << _BITS
_SMOOTHING = 1.0
"""Bins."""
_FLOOR = 1e-6
"""The probability of a bin in which nothing was painted; a uniform one has 3e-5."""
_GROUND_SAMPLES, _GROUND_SIDE = 120, 32
_OBJECT_SIDE = 48
_DARKEST = 0.55
"""What a shadow leaves of a pixel at least."""

_GROUND, _SHADOW, _NOTHING = 0.55, 0.02, 0.04
"""Shares of pixels that are the ground, the ground in shadow, and nothing that the renderer paints."""

Table = Float32[np.ndarray, "bins _"]


@dataclass(frozen=True, slots=True)
class Classes:
    """What a pixel on one ground may be: ``color_names`` that are seen on it, the ground, the same in shadow, nothing.

    ``log_joint`` has a row for each bin of colours and a column for each class in this order: the log probability that
    a pixel is of the class and of this colour.

    Grounds have a tint of their own. ``log_backdrop`` has the ground's two columns for pictures whose tint was taken
    off, so that their ground has the mean colour ``ground_mean``.
    """

    color_names: tuple[str, ...]
    log_joint: Table
    log_backdrop: Table
    ground_mean: Float32[np.ndarray, "3"]


@dataclass(frozen=True, slots=True)
class Palette:
    """Log probabilities of a pixel's colour bin, to be looked up with ``bins_of``.

    ``log_grounds`` has a column for each of ``vocabulary.GROUNDS``: a picture on it, objects and all. ``classes`` has
    their parts for each ground.
    """

    log_grounds: Table
    classes: tuple[Classes, ...]


def bins_of(picture: UInt8[np.ndarray, "*pixels 3"]) -> Int64[np.ndarray, "*pixels"]:
    """The row of the tables for each pixel."""
    red, green, blue = (picture[..., channel].astype(np.int64) >> (8 - _BITS) for channel in range(3))
    return (red << (2 * _BITS)) | (green << _BITS) | blue


@cache
def palette(level: LevelName) -> Palette:
    """The palette of a level; made once, in a second or two."""
    colors = {name: _shares(_object_pixels(name, level)) for name in LEVELS[level].colors}
    classes: list[Classes] = []
    for name, ground in GROUNDS.items():
        pictures = _ground_pictures(name)
        pixels, mean = pictures.reshape(-1, 3), pictures.mean(axis=(0, 1, 2), dtype=np.float32)
        untinted = without_tint(pictures, pictures.mean(axis=(1, 2), keepdims=True, dtype=np.float32), mean)
        backdrop = _backdrop(untinted.reshape(-1, 3), name)
        seen = tuple(color for color in colors if color not in ground.camouflages)
        objects = (1 - _GROUND - _SHADOW - _NOTHING) / len(seen)
        parts = [objects * colors[color] for color in seen]
        parts += _backdrop(pixels, name)
        parts += [np.full(_BINS**3, _NOTHING / _BINS**3, dtype=np.float32)]
        classes.append(Classes(seen, np.log(np.stack(parts, axis=1)), np.log(np.stack(backdrop, axis=1)), mean))
    whole = [np.logaddexp.reduce(each.log_joint, axis=1) for each in classes]
    return Palette(np.stack(whole, axis=1), tuple(classes))


def _shares(pixels: UInt8[np.ndarray, "_ 3"]) -> Float32[np.ndarray, " bins"]:
    """The share of the pixels in each bin, smoothed, and nowhere 0."""
    counts = np.bincount(bins_of(pixels), minlength=_BINS**3).reshape((_BINS,) * 3)
    smooth = gaussian_filter(counts.astype(np.float32), _SMOOTHING, mode="constant").ravel()
    return (smooth / smooth.sum() + np.float32(_FLOOR)).astype(np.float32)


def without_tint(
    pixels: UInt8[np.ndarray, "*pixels 3"], mean: Float32[np.ndarray, "..."], wanted: Float32[np.ndarray, "3"]
) -> UInt8[np.ndarray, "*pixels 3"]:
    """Each channel scaled so that ``mean`` becomes the ``wanted`` one."""
    return np.round(pixels * (wanted / mean.clip(1))).clip(0, 255).astype(np.uint8)


def _ground_pictures(ground: str) -> UInt8[np.ndarray, "samples side side 3"]:
    keys = [f"palette-{i}" for i in range(_GROUND_SAMPLES)]
    return np.stack([paint_ground(ground, 0, key, _GROUND_SIDE, _GROUND_SIDE) for key in keys])


def _backdrop(pixels: UInt8[np.ndarray, "_ 3"], ground: str) -> list[Float32[np.ndarray, " bins"]]:
    """The joint probabilities of the ground in light and in shadow."""
    return [_GROUND * _shares(pixels), _SHADOW * _shares(_shaded(pixels, ground))]


def _shaded(pixels: UInt8[np.ndarray, "_ 3"], ground: str) -> UInt8[np.ndarray, "_ 3"]:
    left = generator(0, "palette", ground).uniform(_DARKEST, 1, size=(len(pixels), 1))
    return np.round(pixels * left).astype(np.uint8)


def _object_pixels(color: str, level: LevelName) -> UInt8[np.ndarray, "_ 3"]:
    """Pixels wholly inside objects of the colour, of each shape and texture, in the light and a fifth in shadow."""
    kinds, found = LEVELS[level], list[np.ndarray]()
    for i, (shape, texture) in enumerate((s, t) for s in kinds.shapes for t in kinds.textures):
        thing = SceneObject(
            shape=shape,
            color=color,
            size="large",
            texture=texture,
            x=0.5,
            y=0.5,
            scale=0.3,
            angle=0.0,
            depth=0.5,
            grain=i,
        )
        picture = np.full((_OBJECT_SIDE, _OBJECT_SIDE, 3), 128, dtype=np.uint8)
        paint_object(picture, thing)
        inside = cv2.erode(full_mask(thing, _OBJECT_SIDE, _OBJECT_SIDE), np.ones((3, 3), dtype=np.uint8))
        found.append(picture[inside.astype(bool)])
    pixels = np.concatenate(found)
    return np.concatenate([pixels, _shaded(pixels[::5], color)])
