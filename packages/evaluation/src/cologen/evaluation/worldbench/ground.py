"""Which ground a picture has: the one whose palette makes its pixels likeliest, snow and tiles also by their joints.

Snow and tiles share most of their pale colours, but only tiles have joints, dark straight lines at every quarter of the
picture's side in both directions.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from cologen.datagen.world.vocabulary import GROUND_CLASSES
from cologen.evaluation.records import Picture
from cologen.evaluation.worldbench.palette import Palette

_PALE = tuple(GROUND_CLASSES.index(name) for name in ("snow", "tile"))
_TILES_ACROSS = 4
_FAINT_JOINT = 3.2
"""Grey levels: joints darker than this speak for tiles, each level like a factor e in the likelihood of each pixel."""
_DARKEST_JOINT = 40.0
"""Grey levels, so that no object's edge counts as a joint by itself."""
_MOST_COLOR, _MOST_AWAY = 60, 60
"""Grey levels between a pixel's channels, and from the median, above which it is not of a pale ground."""


def likeliest_ground(picture: Picture, bins: Int64[np.ndarray, "height width"], palette: Palette) -> int:
    """The index of ``vocabulary.GROUND_CLASSES``; ``bins`` are the picture's colour bins."""
    likelihoods = palette.log_grounds[bins[::2, ::2]].mean(axis=(0, 1))
    chosen = int(likelihoods.argmax())
    if chosen not in _PALE:
        return chosen
    snow, tile = _PALE
    for_tiles = likelihoods[tile] - likelihoods[snow] + joint_depth(picture) - _FAINT_JOINT
    return tile if for_tiles > 0 else snow


def joint_depth(picture: Picture) -> float:
    """How much darker the joints of a tile floor would be than their surroundings, in grey levels, at least 0."""
    levels = picture.mean(axis=-1).astype(np.uint8)
    detail = levels.astype(np.float32) - cv2.medianBlur(levels, 5)
    detail = np.where(_bare(picture, levels), np.clip(detail, -_DARKEST_JOINT, _DARKEST_JOINT), np.nan)
    period = min(picture.shape[:2]) // _TILES_ACROSS
    return float(np.mean([_deepest(detail if axis else detail.T, period) for axis in (0, 1)]))


def _bare(picture: Picture, levels: UInt8[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """The pixels that are as pale and grey as most, and not beside others: upright objects have edges like joints."""
    colorful = picture.max(axis=-1).astype(np.int16) - picture.min(axis=-1)
    away = np.abs(levels.astype(np.int16) - np.median(levels))
    objects = ((colorful > _MOST_COLOR) | (away > _MOST_AWAY)).astype(np.uint8)
    return cv2.dilate(objects, np.ones((3, 3), np.uint8)) == 0


def _deepest(detail: Float32[np.ndarray, "lines places"], period: int) -> float:
    """The lowest phase of the places below their mean, averaged over whole periods; 0 where a phase has no pixel."""
    whole = detail[:, : detail.shape[1] // period * period].reshape(-1, period)
    counts = np.isfinite(whole).sum(axis=0)
    if not counts.all():
        return 0.0
    phases = np.nansum(whole, axis=0) / counts
    return float(phases.mean() - phases.min())
