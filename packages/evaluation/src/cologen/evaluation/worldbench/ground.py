"""Which ground a picture has: the one whose palette makes its pixels likeliest, snow and tiles also by their joints.

Snow and tiles share most of their pale colours, but only tiles have joints, dark straight lines at every quarter of the
picture's side in both directions.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Int64

from cologen.datagen.world.vocabulary import GROUND_CLASSES
from cologen.evaluation.records import Picture
from cologen.evaluation.worldbench.palette import Palette

_PALE = tuple(GROUND_CLASSES.index(name) for name in ("snow", "tile"))
_TILES_ACROSS = 4
_FAINT_JOINT = 3.2
"""Grey levels: joints darker than this speak for tiles, each level like a factor e in the likelihood of each pixel."""
_DARKEST_JOINT = 40.0
"""Grey levels, so that no object's edge counts as a joint by itself."""


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
    detail = np.clip(detail, -_DARKEST_JOINT, _DARKEST_JOINT)
    period = min(picture.shape[:2]) // _TILES_ACROSS
    return float(np.mean([_deepest(detail.mean(axis=axis), period) for axis in (0, 1)]))


def _deepest(profile: np.ndarray, period: int) -> float:
    """The profile's lowest phase below its mean, averaged over whole periods."""
    phases = profile[: len(profile) // period * period].reshape(-1, period).mean(axis=0)
    return float(phases.mean() - phases.min())
