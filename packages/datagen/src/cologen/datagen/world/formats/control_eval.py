"""The synthetic dataset in the Parquet forms on which ControlNet++ evaluates: MultiGen-20M's and COCO-Stuff's.

Each is a validation split alone. Of COCO-Stuff's two maps the panoptic one holds the classes that are scored.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from cologen.datagen.world.formats.drawing import Drawing, Progress, World, each_scene, jpeg, png, silent
from cologen.datagen.world.formats.multigen import CAPTIONED, PLAIN, depth_map, segmentation
from cologen.datagen.world.formats.parquet_files import FILES, IMAGE, write_file

_DEPTH = pa.schema([("image", IMAGE), ("text", pa.string()), ("control_depth", IMAGE)])

Row = dict[str, Any]


def write_canny(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``data/validation-*.parquet`` with ``image`` and ``text``, as MultiGen-20M_canny_eval."""
    _write(root, world, PLAIN, _plain, workers, progress)


def write_depth(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``data/validation-*.parquet`` with ``control_depth`` too, as MultiGen-20M_depth_eval."""
    _write(root, world, _DEPTH, _with_depth, workers, progress)


def write_cocostuff(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``data/validation-*.parquet`` with maps of classes, as Captioned_COCOStuff."""
    _write(root, world, CAPTIONED, _captioned, workers, progress)


def _write(
    root: Path, world: World, schema: pa.Schema, row: Callable[[Drawing], Row], workers: int, progress: Progress
) -> None:
    rows = each_scene(world, row, workers=workers, progress=progress)
    write_file(root / "data" / FILES["val"], schema, rows)


def _plain(drawing: Drawing) -> Row:
    name = f"{drawing.index + 1:012d}.jpg"
    return {"image": {"bytes": jpeg(drawing.rendering.picture), "path": name}, "text": drawing.captions[0]}


def _with_depth(drawing: Drawing) -> Row:
    return {**_plain(drawing), "control_depth": {"bytes": png(depth_map(drawing)), "path": None}}


def _captioned(drawing: Drawing) -> Row:
    plain, classes = _plain(drawing), [*drawing.rendering.class_map]
    return {
        "image": plain["image"],
        "control_seg": {"bytes": png(segmentation(drawing)), "path": None},
        "prompt": plain["text"],
        "semantic_seg_map": classes,
        "panoptic_seg_map": classes,
        "image_path": plain["image"]["path"],
    }
