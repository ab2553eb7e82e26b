"""A quick look at a picture while data is built: small, good for choosing colours and for comparing pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from cologen.datagen import image_headers, images
from cologen.datagen.images import Picture

REDUCTION = 4
"""How many times smaller each side of a glance is."""


def glance(root: Path, uri: str, size: tuple[int, int]) -> Picture:
    """About a quarter of the picture's sides, upright; ``size`` is the (width, height) of its annotations.

    JPEG is decoded at that size, in two thirds of the time; damage in the middle of such a file goes unseen here.

    Raises:
        RejectedError: as ``images.probe``, and for other formats as ``images.decode``.
    """
    data = images.read_bytes(root, uri)
    if not image_headers.is_jpeg(data):
        return _shrunk(images.decode(data, size))
    width, height = images.probe(root, uri, size)
    encoded = np.frombuffer(data, dtype=np.uint8)
    pixels = cv2.imdecode(encoded, cv2.IMREAD_REDUCED_COLOR_4)
    if pixels is not None and (pixels.shape[1] > pixels.shape[0]) != (width > height):
        # Annotated on the picture as stored, before EXIF turned it.
        pixels = cv2.imdecode(encoded, cv2.IMREAD_REDUCED_COLOR_4 | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        return _shrunk(images.decode(data, size))
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _shrunk(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    size = -(-width // REDUCTION), -(-height // REDUCTION)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
