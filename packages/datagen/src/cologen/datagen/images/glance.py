"""A picture decoded small and fast, for choosing colours and for comparing pictures."""

from __future__ import annotations

from pathlib import Path

from cologen.datagen.images import decoding
from cologen.datagen.images.decoding import Picture

REDUCTION = 4
"""How many times smaller each side of a glance is."""


def glance(root: Path, uri: str, size: tuple[int, int]) -> Picture:
    """About a quarter of the picture's sides, upright; ``size`` is the (width, height) of its annotations.

    JPEG is decoded at that size, in two thirds of the time.

    Raises:
        RejectedError: as ``images.read_bytes`` and ``images.decode``.
    """
    return decoding.decode(decoding.read_bytes(root, uri), size, REDUCTION)
