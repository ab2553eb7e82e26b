"""The pictures of a benchmark's dataset: damage is a ``ScoreError`` of that item, whichever way it came."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import PIL.Image
from jaxtyping import UInt8

from cologen.datagen import images
from cologen.datagen.records import RejectedError
from cologen.evaluation.records import Picture, Region, ScoreError


def picture(root: Path, uri: str) -> Picture:
    """The upright picture at an address below the root.

    Raises:
        ScoreError: ``bad_input``: it is missing or damaged.
    """
    with judging(uri):
        return images.decode(images.read_bytes(root, uri))


def erased(root: Path, uri: str, size: tuple[int, int]) -> Region:
    """1 where a picture of this (width, height) is fully transparent: the region that an editor has erased.

    Raises:
        ScoreError: ``bad_input``: it is missing, damaged, of another size, or has no transparency.
    """
    with judging(uri):
        layers = images.decode_map(images.read_bytes(root, uri), size)
    if layers.ndim != 3 or layers.shape[2] != 4:
        raise ScoreError("bad_input", f"{uri}: expected a mask with an alpha channel, found shape {layers.shape}")
    return (layers[..., 3] == 0).astype(np.uint8)


def squashed(
    values: UInt8[np.ndarray, "height width *channels"],
    side: int,
    method: PIL.Image.Resampling = PIL.Image.Resampling.BICUBIC,
) -> UInt8[np.ndarray, "side side *channels"]:
    """Resized to a square without keeping proportions; what has the size already is left as it is."""
    if values.shape[:2] == (side, side):
        return values
    return np.array(PIL.Image.fromarray(values).resize((side, side), method))


@contextmanager
def judging(uri: str) -> Generator[None]:
    """What datagen rejects in this block is a bad input of the item; ``uri`` names it in the message."""
    try:
        yield
    except RejectedError as error:
        named = str(error) if uri in error.detail else f"{uri}: {error}"
        raise ScoreError("bad_input", named) from None
