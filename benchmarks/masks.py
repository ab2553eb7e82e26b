"""``python -m benchmarks.masks``: mask generators in masks per CPU second, and how cost grows with the picture.

The floor of any mask is a cleared array and a count of its pixels; every row says how many times that it costs. The
rounds of all rows are interleaved, so that a slow minute of the machine falls on all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from cologen.datagen import rle
from cologen.datagen.masks.irregular import IrregularShape, irregular_mask
from cologen.datagen.masks.strokes import PRESETS, random_mask
from cologen.datagen.randomness import generator
from cologen.datagen.records import Box
from cologen.datagen.rle import Mask

ROUNDS, MASKS_PER_ROUND = 15, 60
SIDES = (256, 512, 1024)
TARGET = 6000  # masks per CPU second at 512²

Maker = Callable[[int, int], Mask]


def _floor(side: int, _: int) -> Mask:
    mask = np.zeros((side, side), dtype=np.uint8)
    cv2.countNonZero(mask)
    return mask


def _strokes(preset: str) -> Maker:
    return lambda side, index: random_mask(generator(0, index), side, side, PRESETS[preset])


def _irregular(side: int, index: int) -> Mask:
    draws = generator(1, index).random(4) * side
    box = Box(
        x0=0.6 * draws[0],
        y0=0.6 * draws[1],
        x1=0.6 * draws[0] + 8 + 0.35 * draws[2],
        y1=0.6 * draws[1] + 8 + 0.35 * draws[3],
    )
    return irregular_mask(generator(0, index), side, side, box, IrregularShape())


def _encoded(side: int, index: int) -> Mask:
    mask = random_mask(generator(0, index), side, side, PRESETS["train"])
    rle.encode(mask)
    return mask


MAKERS: dict[str, Maker] = {
    "floor: clear and count": _floor,
    **{f"random, {preset}": _strokes(preset) for preset in ("train", "thin", "medium", "thick")},
    "irregular": _irregular,
    "random, train + run lengths": _encoded,
}


def measure() -> dict[tuple[str, int], float]:
    """CPU seconds per mask: the median over rounds, by maker and side."""
    rounds: dict[tuple[str, int], list[float]] = {(name, side): [] for name in MAKERS for side in SIDES}
    for number in range(ROUNDS + 1):
        for (name, side), seconds in rounds.items():
            start = time.process_time()
            for index in range(MASKS_PER_ROUND):
                MAKERS[name](side, number * MASKS_PER_ROUND + index)
            if number:  # the first round warms up
                seconds.append((time.process_time() - start) / MASKS_PER_ROUND)
    return {key: median(seconds) for key, seconds in rounds.items()}


def main() -> None:
    """Print one row per generator."""
    cv2.setNumThreads(1)
    cost = measure()
    table = Table(title=f"masks per CPU second; target at 512²: {TARGET:,} for train and irregular")
    for column in (
        "generator",
        *(f"{side}²" for side in SIDES),
        "512² / target",
        "× floor at 512²",
        "cost 1024² / 512² (linear: 4)",
    ):
        table.add_column(column, justify="left" if column == "generator" else "right")
    for name in MAKERS:
        rates = [f"{1 / cost[name, side]:,.0f}" for side in SIDES]
        at_512 = cost[name, 512]
        table.add_row(
            name,
            *rates,
            f"{1 / at_512 / TARGET:.2f}",
            f"{at_512 / cost['floor: clear and count', 512]:.1f}",
            f"{cost[name, 1024] / at_512:.2f}",
        )
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
