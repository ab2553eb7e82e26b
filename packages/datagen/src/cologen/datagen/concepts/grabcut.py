"""Refines a rough mask with GrabCut, in a window around it.

Rother, Kolmogorov and Blake, "GrabCut: Interactive Foreground Extraction using Iterated Graph Cuts" (SIGGRAPH 2004),
in OpenCV's form.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import UInt8

from cologen.datagen.images import Picture
from cologen.datagen.rle import Mask

_MARGIN = 0.35
"""Of the object's size (the root of its area): the window's edge around it, where the background is learned from."""
_BAND_OUTSIDE, _BAND_INSIDE = 0.15, 0.10
"""Of the object's size: how far the outline may move."""
_ITERATIONS = 2
_MIN_AGREEMENT = 0.5
"""Below this IoU with the guess, the cut has found something else and is not used."""
_SEED = 1


def refined(picture: Picture, guess: Mask, taken: Mask) -> Mask:
    """The mask of what ``guess`` covers roughly; pixels of ``taken`` belong to other objects.

    It returns the guess itself where there is nothing to cut, or where the cut differs too much from it. The same input
    gives the same mask: OpenCV's own random numbers are seeded anew each time.
    """
    window = _window(guess)
    hints = _hints(guess[window], taken[window])
    if np.ptp(hints & 1) == 0:
        return guess
    cv2.setRNGSeed(_SEED)
    colors, ground, figure = np.ascontiguousarray(picture[window]), np.zeros((1, 65)), np.zeros((1, 65))
    cut = np.zeros_like(guess)
    cv2.grabCut(colors, hints, (0, 0, 0, 0), ground, figure, _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    cut[window] = hints & 1
    agreement = np.count_nonzero(cut & guess) / np.count_nonzero(cut | guess)
    return cut if agreement >= _MIN_AGREEMENT else guess


def _window(guess: Mask) -> tuple[slice, slice]:
    left, top, width, height = cv2.boundingRect(guess)
    margin = 2 + round(_MARGIN * _size(guess))
    return (
        slice(max(0, top - margin), top + height + margin),
        slice(max(0, left - margin), left + width + margin),
    )


def _hints(guess: Mask, taken: Mask) -> UInt8[np.ndarray, "height width"]:
    """GrabCut's four values: sure away from the guess's outline, to be found near it."""
    size = _size(guess)
    hints = np.where(guess, np.uint8(cv2.GC_PR_FGD), np.uint8(cv2.GC_PR_BGD))
    hints[cv2.distanceTransform(1 - guess, cv2.DIST_L2, 3) > 2 + _BAND_OUTSIDE * size] = cv2.GC_BGD
    hints[cv2.distanceTransform(guess, cv2.DIST_L2, 3) > 2 + _BAND_INSIDE * size] = cv2.GC_FGD
    hints[taken > guess] = cv2.GC_BGD
    return hints


def _size(guess: Mask) -> float:
    return float(np.count_nonzero(guess)) ** 0.5
