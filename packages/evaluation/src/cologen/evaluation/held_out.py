"""Measures of held-out samples for training, which finds them by name as entry points (``pyproject.toml``).

Each takes 8-bit pictures of one size and returns its values by name, one or none: a value that means nothing for a
sample is left out. ``mask`` is 1 where the output had to be made up.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from jaxtyping import UInt8

Picture = UInt8[np.ndarray, "height width 3"]
Mask = UInt8[np.ndarray, "height width"]


def l1(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """The mean absolute difference of output and target, in [0, 1]; 0 is best."""
    return {"l1": float(_differences(target, output).mean())}


def l1_inside(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """The same within the mask; nothing where it covers all of the picture, or none of it."""
    return _within("l1_inside", _differences(target, output), mask, inside=True)


def l1_outside(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """The same outside the mask, where the picture should stay; nothing where the mask covers all, or nothing."""
    return _within("l1_outside", _differences(target, output), mask, inside=False)


def ssim(source: Picture | None, target: Picture, output: Picture, mask: Mask) -> Mapping[str, float]:
    """Structural similarity of output and target (Wang et al. 2004), at most 1, which is best.

    Gaussian windows of 11 pixels with σ = 1.5, reflected at borders, in float64, the mean over pixels and channels, as
    torchmetrics computes it; nothing for pictures that are smaller than a window.
    """
    if min(target.shape[:2]) < _WINDOW:
        return {}
    one, other = target / 255, output / 255
    mean_one, mean_other = _blurred(one), _blurred(other)
    variance_one = _blurred(one * one) - mean_one**2
    variance_other = _blurred(other * other) - mean_other**2
    covariance = _blurred(one * other) - mean_one * mean_other
    likeness = (2 * mean_one * mean_other + _C1) * (2 * covariance + _C2)
    likeness /= (mean_one**2 + mean_other**2 + _C1) * (variance_one + variance_other + _C2)
    return {"ssim": float(likeness.mean())}


_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def _blurred(values: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA, borderType=cv2.BORDER_REFLECT_101)


def _differences(target: Picture, output: Picture) -> np.ndarray:
    return np.abs(target.astype(np.float64) - output).mean(axis=2) / 255


def _within(name: str, differences: np.ndarray, mask: Mask, *, inside: bool) -> Mapping[str, float]:
    chosen = (mask > 0) == inside
    return {name: float(differences[chosen].mean())} if chosen.any() and not chosen.all() else {}
