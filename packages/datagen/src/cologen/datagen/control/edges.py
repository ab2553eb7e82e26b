"""Canny edges of one picture, with thresholds drawn per sample, so that training sees sparse and dense maps."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from cologen.datagen.randomness import KeyPart, generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Gradients in grey levels: above ``high`` an edge begins, down to ``low`` it goes on. ControlNet: 100, 200."""

    low: int = 100
    high: int = 200

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise ValueError(f"expected 0 <= low <= high, got low {self.low} and high {self.high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRanges:
    """Where thresholds are drawn from, both ends included; ControlNet's 100 and 200 are the middles."""

    low: tuple[int, int] = (50, 150)
    high: tuple[int, int] = (150, 250)

    def __post_init__(self) -> None:
        if not 0 <= self.low[0] <= self.low[1] <= self.high[0] <= self.high[1]:
            raise ValueError(f"expected ascending ranges, the low before the high, got {self.low} and {self.high}")

    def draw(self, seed: int, *key: KeyPart) -> Thresholds:
        """The thresholds of the sample that ``key`` names."""
        rng = generator(seed, *key, "canny")
        low, high = (int(rng.integers(first, last, endpoint=True)) for first, last in (self.low, self.high))
        return Thresholds(low=low, high=high)


def edges(picture: UInt8[np.ndarray, "height width 3"], thresholds: Thresholds) -> UInt8[np.ndarray, "height width"]:
    """White edges on black: OpenCV's on 8-bit RGB, as ControlNet's annotator."""
    found = cv2.Canny(np.ascontiguousarray(picture), thresholds.low, thresholds.high)
    return found.astype(np.uint8, copy=False)
