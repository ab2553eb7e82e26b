"""Pictures of the demo page's editor: thumbnails are given to it enlarged, and come back as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

Size = tuple[int, int]
"""Width and height in pixels."""
THUMBNAIL = 64
"""Pixels of the longest side of a picture that an editor is given enlarged."""
ENLARGED = 12
"""How often."""


def enlarged(picture: Image.Image) -> Image.Image:
    """A thumbnail with each pixel a square, as an editor would blur it; any other picture as it is."""
    if max(picture.size) > THUMBNAIL:
        return picture
    return picture.resize((picture.width * ENLARGED, picture.height * ENLARGED), Image.Resampling.NEAREST)


def as_it_was(picture: Image.Image, mask: Image.Image, thumbnail: Size | None) -> tuple[Image.Image, Image.Image]:
    """A picture and its mask before ``enlarged``, if it was a thumbnail of this size: a pixel is in the hole if at
    least half of its square is."""
    if thumbnail is None or picture.size != (thumbnail[0] * ENLARGED, thumbnail[1] * ENLARGED):
        return picture, mask
    return picture.reduce(ENLARGED), mask.reduce(ENLARGED).point([0] * 128 + [255] * 128)


def picture_and_mask(given: Any, thumbnail: Size | None) -> tuple[Image.Image | None, Image.Image | None]:
    """Of an editor the background, and white where something is painted on it."""
    if not isinstance(given, dict):
        return given, None
    background, layers = given["background"], given["layers"]
    if background is None or not layers:
        return background, None  # refused, as nothing is painted over
    painted = np.max([np.asarray(layer.convert("RGBA"))[..., 3] for layer in layers], axis=0)
    return as_it_was(background.convert("RGB"), Image.fromarray((painted >= 128).astype(np.uint8) * 255), thumbnail)
