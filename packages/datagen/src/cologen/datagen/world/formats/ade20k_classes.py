"""The synthetic dataset's classes in ADE20K's numberings: scene parsing (1–150), instances (1–100), full list."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from cologen.datagen.world.vocabulary import GROUND_CLASSES, OBJECT_CLASSES

NAMES: tuple[str, ...] = (*GROUND_CLASSES, *OBJECT_CLASSES)
"""Label 1 is the first: regions come before things, as wall, building and sky do in the real list. 0 means other."""

PARTS: tuple[str, ...] = ("top", "bottom")
"""Parts have no label; the full list has them behind all whole things."""

_LABELS = np.array([1 + NAMES.index(name) for name in (*OBJECT_CLASSES, *GROUND_CLASSES)], dtype=np.uint8)
_FULL_STEP = 113


def label_map(class_map: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """A rendering's class map in labels of the scene-parsing numbering."""
    return _LABELS[class_map]


def full_index(name: str) -> int:
    """``name_ndx`` of a class or part: spread over 1–3688, so that both digits of the colour code are in use."""
    return _FULL_STEP * (1 + (*NAMES, *PARTS).index(name))
