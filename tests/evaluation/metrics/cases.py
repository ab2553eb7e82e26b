"""Cases by hand: pictures of random colours, whole readings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cologen.evaluation.records import Case, Expected, Item, Need, Picture


def picture(height: int = 24, width: int = 32, *, seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def flat(level: int, height: int = 4, width: int = 6) -> Picture:
    return np.full((height, width, 3), level, dtype=np.uint8)


def case_of(output: Picture, readings: Mapping[Need, np.ndarray] | None = None, **expected: Any) -> Case:
    item = Item(item_id="ball-1", cluster="ball", prompt="a red ball")
    return Case(item=item, output=output, expected=Expected(**expected), readings=readings or {})
