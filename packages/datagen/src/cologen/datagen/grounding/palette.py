"""Named colours for marks, and which of them are visible against the pixels to be marked.

The colours are at least two ``MIN_DISTANCE`` apart, so a pixel is near to one of them at most. Of thirteen colours, one
is near to the region's mean and the other twelve share its pixels: some colour has at most a twelfth of them near it.
So there always is a colour that can be seen, whatever the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from cologen.datagen.images import Picture
from cologen.datagen.rle import Mask

MIN_DISTANCE = 22.0
"""CIE 1976 distance in Lab below which a colour is too near; 2.3 is what an eye can just tell apart."""
MAX_NEAR_SHARE = 0.1
"""The most of a region's pixels that may be near to the colour of its mark."""


@dataclass(frozen=True, slots=True)
class Color:
    """A colour by the name it has in an instruction, and its sRGB in [0, 255]."""

    name: str
    rgb: tuple[int, int, int]


PALETTE = (
    Color("red", (255, 0, 0)),
    Color("orange", (255, 145, 0)),
    Color("yellow", (255, 255, 0)),
    Color("green", (0, 160, 0)),
    Color("cyan", (0, 255, 255)),
    Color("blue", (0, 0, 255)),
    Color("purple", (125, 0, 155)),
    Color("magenta", (255, 0, 255)),
    Color("pink", (255, 150, 190)),
    Color("brown", (120, 65, 20)),
    Color("white", (255, 255, 255)),
    Color("gray", (128, 128, 128)),
    Color("black", (0, 0, 0)),
)


def choose(stream: np.random.Generator, picture: Picture, region: Mask) -> Color:
    """One of the colours that can be seen on the region, equally likely; ``picture`` may be a small copy.

    Raises:
        ValueError: the region is empty.
    """
    colors = visible(picture, region)
    return colors[int(stream.integers(len(colors)))]


def visible(picture: Picture, region: Mask) -> tuple[Color, ...]:
    """The colours that are far enough from the region's mean and from nearly all of its pixels; never none.

    Raises:
        ValueError: the region is empty.
    """
    pixels = picture[region.astype(bool)]
    if len(pixels) == 0:
        raise ValueError("no pixel is to be marked")
    found, colors = lab(pixels), lab(np.array([color.rgb for color in PALETTE], dtype=np.uint8))
    near = np.linalg.norm(found[:, None] - colors, axis=2) < MIN_DISTANCE
    near_mean = np.linalg.norm(found.mean(axis=0) - colors, axis=1) < MIN_DISTANCE
    seen = ~near_mean & (near.mean(axis=0) <= MAX_NEAR_SHARE)
    return tuple(color for color, can_be_seen in zip(PALETTE, seen.tolist(), strict=True) if can_be_seen)


def lab(pixels: UInt8[np.ndarray, "num_pixels 3"]) -> Float32[np.ndarray, "num_pixels 3"]:
    """sRGB in [0, 255] as CIE Lab: L in [0, 100], a and b about [-128, 127]."""
    levels = pixels[None].astype(np.float32) / 255
    return cv2.cvtColor(levels, cv2.COLOR_RGB2LAB)[0].astype(np.float32, copy=False)
