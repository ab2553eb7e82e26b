"""Samples of any size to the pixels of a micro batch: cropped and resized alike, still in bytes.

Workers make these; they know nothing of torch, so that they are small and start at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from cologen.datagen.control import alignment
from cologen.datagen.control.alignment import Size
from cologen.datagen.images import Picture
from cologen.datagen.pair_records import ConditionKind
from cologen.datagen.rle import Mask

Fractions = tuple[float, float]
"""Where a crop lies in what is left over, across and down: (0, 0) is the top left corner, (½, ½) the middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """One sample in its micro batch's size; ``source`` is None where a base learns to draw from text alone."""

    source: Picture | None
    target: Picture
    mask: Mask | None
    prompt: str
    task: str
    online: ConditionKind | None
    """The extractor that has still to make the source out of the picture that stands there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """A micro batch: RGB in [0, 255]; ``mask`` is 1 where the target has to be made up, None being everywhere."""

    source: UInt8[np.ndarray, "batch 3 height width"] | None
    target: UInt8[np.ndarray, "batch 3 height width"]
    mask: UInt8[np.ndarray, "batch height width"] | None
    prompts: tuple[str, ...]
    tasks: tuple[str, ...]
    online: tuple[ConditionKind | None, ...]


def stacked(samples: Sequence[Fitted]) -> Pixels:
    """Samples of one size together; either all have a source or none has."""
    sources = [sample.source for sample in samples if sample.source is not None]
    masks = [np.ones_like(one.target[:, :, 0]) if one.mask is None else one.mask for one in samples]
    return Pixels(
        source=_in_planes(sources) if sources else None,
        target=_in_planes([sample.target for sample in samples]),
        mask=np.stack(masks) if any(one.mask is not None for one in samples) else None,
        prompts=tuple(one.prompt for one in samples),
        tasks=tuple(one.task for one in samples),
        online=tuple(one.online for one in samples),
    )


def fit(picture: Picture, size: Size, at: Fractions, kind: ConditionKind | None = None) -> Picture:
    """The largest crop of the size's proportions, in that size; the colours of a segmentation (``kind``) never mix.

    Pictures of one size are cropped alike for the same ``at``; those of other sizes by the same fractions.
    """
    part = _cropped(picture, size, at)
    if kind == "segmentation":
        return alignment.resized(part, size, kind)
    height, width = part.shape[:2]
    if (width, height) == size:
        return part
    method = cv2.INTER_AREA if size[0] * size[1] < width * height else cv2.INTER_CUBIC
    return cv2.resize(part, size, interpolation=method).astype(np.uint8, copy=False)


def fit_mask(mask: Mask, size: Size, at: Fractions) -> UInt8[np.ndarray, "new_height new_width"]:
    """A mask of {0, 1} as ``fit`` would show it: 1 where at least half of a pixel is."""
    part = _cropped(mask, size, at)
    height, width = part.shape
    method = cv2.INTER_AREA if size[0] * size[1] < width * height else cv2.INTER_LINEAR
    return (cv2.resize(255 * part, size, interpolation=method) > 127).astype(np.uint8)


def _in_planes(pictures: Sequence[Picture]) -> UInt8[np.ndarray, "batch 3 height width"]:
    """Each colour apart, as torch wants them; OpenCV does that ten times faster."""
    planes = np.empty((len(pictures), 3, *pictures[0].shape[:2]), np.uint8)
    for picture, into in zip(pictures, planes, strict=True):
        cv2.split(picture, list(into))
    return planes


def _cropped(pixels: UInt8[np.ndarray, "_height _width *channels"], size: Size, at: Fractions) -> np.ndarray:
    height, width = pixels.shape[:2]
    crop_width = min(width, max(1, round(height * size[0] / size[1])))
    crop_height = min(height, max(1, round(width * size[1] / size[0])))
    left, top = round(at[0] * (width - crop_width)), round(at[1] * (height - crop_height))
    return pixels[top : top + crop_height, left : left + crop_width]
