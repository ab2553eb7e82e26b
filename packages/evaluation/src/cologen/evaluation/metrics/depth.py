"""Depth error under ControlNet++'s protocol: grey levels between an output's depth map and the map that was asked for.

    prediction  / its maximum -> 8 bits -> the label's size, bilinear
    label       its minimum to 0, its maximum to 255 -> 8 bits -> nearest, where the protocol resizes it

The prediction's minimum is not moved to 0, so that the error of a perfect output is rarely 0.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from PIL import Image

from cologen.evaluation.records import ConditionMap


def predicted_levels(nearness: Float[np.ndarray, "rows columns"], size: tuple[int, int]) -> ConditionMap:
    """A network's inverse depth (0 or more) as grey levels in ``size`` (width, height); a map of zeros stays black."""
    largest = float(nearness.max())
    shares = nearness / largest if largest > 0 else np.zeros_like(nearness)
    levels = (shares.clip(0, 1) * 255).astype(np.uint8)
    return np.asarray(Image.fromarray(levels).resize(size, Image.Resampling.BILINEAR))


def label_levels(label: ConditionMap, size: tuple[int, int]) -> ConditionMap:
    """A dataset's map stretched to all grey levels, in ``size`` (width, height); a flat map is black."""
    low, high = int(label.min()), int(label.max())
    levels = ((label - low) / max(high - low, 1) * 255).astype(np.uint8)
    return np.asarray(Image.fromarray(levels).resize(size, Image.Resampling.NEAREST))


def root_mean_square(found: ConditionMap, expected: ConditionMap) -> float:
    """The root of the mean squared difference in grey levels, in [0, 255]."""
    difference = found.astype(np.int32) - expected
    return float(np.sqrt(int((difference**2).sum(dtype=np.int64)) / difference.size))


def depth_error(nearness: Float[np.ndarray, "rows columns"], label: ConditionMap, size: tuple[int, int]) -> float:
    """The error of an output of ``size`` (width, height), in grey levels: smaller is better."""
    return root_mean_square(predicted_levels(nearness, size), label_levels(label, size))
