"""Crops and resizes samples of any size, straight into the memory of a micro batch.

Workers run this; it does not import torch, so that they are small and start at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from cologen.datagen.control import alignment
from cologen.datagen.control.alignment import Size
from cologen.datagen.images import Picture
from cologen.datagen.pair_records import ConditionKind
from cologen.datagen.rle import Mask
from cologen.trainer.data import slots

Fractions = tuple[float, float]
"""The position of a crop in the leftover, across and down: (0, 0) is the top left corner, (½, ½) the middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """A micro batch: RGB in [0, 255].

    ``source`` is None where a base is trained on text alone. ``mask`` is 1 where the target has to be generated; None
    means everywhere. ``more_sources`` are each sample's further source pictures, as many for all of them.
    """

    source: UInt8[np.ndarray, "batch height width 3"] | None
    target: UInt8[np.ndarray, "batch height width 3"]
    mask: UInt8[np.ndarray, "batch height width"] | None
    more_sources: tuple[UInt8[np.ndarray, "batch height width 3"], ...] = ()

    @classmethod
    def blank(cls, num_samples: int, size: Size, *, sourced: bool, masked: bool, num_more: int = 0) -> Pixels:
        """Memory for some samples, to be filled."""
        shape = (num_samples, size[1], size[0])
        return cls(
            source=slots.empty((*shape, 3)) if sourced else None,
            target=slots.empty((*shape, 3)),
            mask=slots.empty(shape) if masked else None,
            more_sources=tuple(slots.empty((*shape, 3)) for _ in range(num_more)),
        )


def fit(picture: Picture, into: Picture, at: Fractions, kind: ConditionKind | None = None) -> None:
    """Crop the picture to the proportions of ``into``, as large as possible, and resize the crop into it.

    The colours of a segmentation (``kind``) never mix. Pictures of one size are cropped alike for the same ``at``;
    those of other sizes by the same fractions.
    """
    part = _cropped(picture, into.shape, at)
    height, width = into.shape[:2]
    if part.shape == into.shape:
        into[:] = part
    elif kind == "segmentation":
        into[:] = alignment.resized(part, (width, height), kind)
    else:
        smaller = into.size < part.size
        cv2.resize(part, (width, height), into, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def fit_mask(mask: Mask, into: UInt8[np.ndarray, "new_height new_width"], at: Fractions) -> None:
    """Write a mask of {0, 1} as ``fit`` would show it: 1 where at least half of a pixel is."""
    part = _cropped(mask, into.shape, at)
    smaller = into.size < part.size
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    shown = cv2.resize(255 * part, into.shape[::-1], interpolation=method)
    cv2.threshold(shown, 127, 1, cv2.THRESH_BINARY, into)


def _cropped(
    pixels: UInt8[np.ndarray, "_height _width *channels"], shape: tuple[int, ...], at: Fractions
) -> np.ndarray:
    height, width = pixels.shape[:2]
    crop_width = min(width, max(1, round(height * shape[1] / shape[0])))
    crop_height = min(height, max(1, round(width * shape[0] / shape[1])))
    left, top = round(at[0] * (width - crop_width)), round(at[1] * (height - crop_height))
    return pixels[top : top + crop_height, left : left + crop_width]
