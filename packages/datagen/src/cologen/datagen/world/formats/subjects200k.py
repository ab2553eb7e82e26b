"""The synthetic dataset's subject pairs in Subjects200K's format, Parquet: two pictures side by side in one image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import UInt8

from cologen.datagen.randomness import generator
from cologen.datagen.world.formats.drawing import Drawing, Progress, Split, World, each_scene, jpeg, silent
from cologen.datagen.world.formats.parquet_files import IMAGE, write_rows
from cologen.datagen.world.render import render
from cologen.datagen.world.subjects import subject_pair

PADDING = 8
"""Pixels of black around each picture; the published images have twice as many more at the right end."""

_SCORES = ("compositeStructure", "objectConsistency", "imageQuality")
_UNJUDGED_SHARE, _FLAWED_SHARE = 0.05, 0.1
_SCHEMA = pa.schema(
    [
        ("image", IMAGE),
        ("collection", pa.string()),
        ("quality_assessment", pa.struct([(name, pa.int64()) for name in _SCORES])),
        (
            "description",
            pa.struct(
                [(name, pa.string()) for name in ("item", "description_0", "description_1", "category")]
                + [("description_valid", pa.bool_())]
            ),
        ),
    ]
)


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``data/{train,validation}-00000-of-00001.parquet``, one pair for each scene; each picture has the given size."""
    write_rows(root / "data", _SCHEMA, each_scene(world, _row, workers=workers, progress=progress))


def _row(drawing: Drawing) -> tuple[Split, dict[str, Any]]:
    world = drawing.world
    pair = subject_pair(world.seed, drawing.index, world.level)
    pictures = [render(scene, world.width, world.height).picture for scene in (pair.first, pair.second)]
    row = {
        "image": {"bytes": jpeg(_side_by_side(*pictures)), "path": None},
        "collection": "collection_1",
        "quality_assessment": _judgement(generator(world.seed, "subjects200k", drawing.index)),
        "description": {
            "item": pair.item,
            "description_0": pair.first_words,
            "description_1": pair.second_words,
            "category": pair.first.objects[pair.first_index].shape,
            "description_valid": True,
        },
    }
    return drawing.split, row


def _side_by_side(
    left: UInt8[np.ndarray, "height width 3"], right: UInt8[np.ndarray, "height width 3"]
) -> UInt8[np.ndarray, "image_height image_width 3"]:
    """Two pictures of 512 × 512 in an image of 1056 × 528, from x = 8 and x = 528 on."""
    height, width = left.shape[:2]
    image = np.zeros((height + 2 * PADDING, 2 * width + 4 * PADDING, 3), dtype=np.uint8)
    for place, picture in ((PADDING, left), (2 * PADDING + width, right)):
        image[PADDING : PADDING + height, place : place + width] = picture
    return image


def _judgement(draw: np.random.Generator) -> dict[str, int] | None:
    """Mostly full marks, now and then a lower one, and sometimes, as in the published rows, none at all."""
    if draw.random() < _UNJUDGED_SHARE:
        return None
    return {name: int(draw.integers(1, 5)) if draw.random() < _FLAWED_SHARE else 5 for name in _SCORES}
