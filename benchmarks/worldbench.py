"""``python -m benchmarks.worldbench``: the reader of the synthetic dataset's pictures: how fast, and how often right.

An object is right if one with its shape and colour is read within a sixteenth of the side of its middle. A phantom is a
shape that is read where none of the scene's objects is. Time is that of one CPU core, reading alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from cologen.datagen.randomness import generator
from cologen.datagen.world.levels import LevelName
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene
from cologen.evaluation.records import Picture
from cologen.evaluation.worldbench.reading import read

PICTURES, SEED = 300, 2
NOISE = 8.0
"""Grey levels."""
TARGET_RIGHT, TARGET_SPEED = 0.99, 200
ROWS: tuple[tuple[LevelName, int, str], ...] = (
    ("simple", 32, "none"),
    ("simple", 32, "noise"),
    ("simple", 32, "blur"),
    ("simple", 32, "jpeg"),
    ("simple", 64, "none"),
    ("usual", 64, "none"),
    ("usual", 64, "noise"),
    ("usual", 64, "blur"),
    ("rich", 128, "none"),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Shares of objects read right, of grounds read right, phantoms per object and pictures per CPU second."""

    objects: float
    grounds: float
    phantoms: float
    speed: float


def main() -> None:
    """Print one line per level, size and damage."""
    cv2.setNumThreads(1)
    table = Table(
        title=f"{PICTURES} pictures a row; aims: {TARGET_RIGHT:.0%} right, {TARGET_SPEED} a CPU second at 64²"
    )
    for column in ("level", "side", "damage", "objects right", "grounds right", "phantoms", "pictures / CPU s"):
        table.add_column(column, justify="left" if column in ("level", "damage") else "right")
    for level, side, damage in ROWS:
        found = measure(level, side, damage)
        shares = [f"{share:.2%}" for share in (found.objects, found.grounds, found.phantoms)]
        table.add_row(level, str(side), damage, *shares, f"{found.speed:.0f}")
    Console(width=110).print(table)


def measure(level: LevelName, side: int, damage: str) -> Measured:
    """Read scenes that no test reads."""
    read(render(sample_scene(SEED, 0, level), side, side).picture, level)  # tables are made once
    right = total = grounds = shapes = 0
    seconds = 0.0
    for index in range(PICTURES):
        scene = sample_scene(SEED, index, level)
        picture = _damaged(render(scene, side, side).picture, damage, index)
        start = time.process_time()
        reading = read(picture, level)
        seconds += time.process_time() - start
        found = {(each.shape, each.color, each.x, each.y) for each in reading.objects}
        for thing in scene.objects:
            near = [each for each in found if max(abs(each[2] - thing.x), abs(each[3] - thing.y)) < 1 / 16]
            right += any(each[:2] == (thing.shape, thing.color) for each in near)
        total += len(scene.objects)
        grounds += reading.ground == scene.ground
        shapes += sum(each.shape is not None for each in reading.objects)
    return Measured(right / total, grounds / PICTURES, max(shapes - right, 0) / total, PICTURES / seconds)


def _damaged(picture: Picture, damage: str, index: int) -> Picture:
    if damage == "noise":
        noise = generator(SEED, "noise", index).normal(0, NOISE, picture.shape)
        return np.clip(picture + noise, 0, 255).astype(np.uint8)
    if damage == "blur":
        return cv2.GaussianBlur(picture, (0, 0), 0.5).astype(np.uint8, copy=False)
    if damage == "jpeg":
        return _compressed(picture)
    return picture


def _compressed(picture: Picture) -> Picture:
    """Quality 90, colours in full resolution."""
    data = BytesIO()
    Image.fromarray(picture).save(data, format="JPEG", quality=90, subsampling=0)
    return np.asarray(Image.open(data))


if __name__ == "__main__":
    main()
