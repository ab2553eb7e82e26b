"""The synthetic dataset's edits in GEdit-Bench's format, Parquet: each in English and in Chinese, without a target.

The Chinese instruction names the kind of edit alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from cologen.datagen.randomness import generator
from cologen.datagen.world.edits import EditKind, sample_edit
from cologen.datagen.world.formats.drawing import Drawing, Progress, World, each_scene, png, silent
from cologen.datagen.world.formats.parquet_files import FILES, IMAGE, write_file

TASKS: Mapping[EditKind, str] = MappingProxyType(
    {
        "recolor": "color_alter",
        "add": "subject-add",
        "remove": "subject-remove",
        "replace": "subject-replace",
        "move": "motion_change",
    }
)
"""Five of GEdit-Bench's eleven."""

_CHINESE: Mapping[EditKind, str] = MappingProxyType(
    {
        "recolor": "改变一个物体的颜色",
        "add": "添加一个物体",
        "remove": "移除一个物体",
        "replace": "替换一个物体",
        "move": "移动一个物体",
    }
)
_SHARED = 0.8
"""Of the edits, how many are marked as in the intersection that all models answer."""
_SCHEMA = pa.schema(
    [
        ("task_type", pa.string()),
        ("key", pa.string()),
        ("instruction", pa.string()),
        ("instruction_language", pa.string()),
        ("input_image", IMAGE),
        ("input_image_raw", IMAGE),
        ("Intersection_exist", pa.bool_()),
    ]
)


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``data/train-00000-of-00001.parquet``, two rows for each scene."""
    rows = chain.from_iterable(each_scene(world, _rows, workers=workers, progress=progress))
    write_file(root / "data" / FILES["train"], _SCHEMA, rows)


def _rows(drawing: Drawing) -> list[dict[str, Any]]:
    seed = drawing.world.seed
    edit = sample_edit(drawing.scene, seed)
    picture = {"bytes": png(drawing.rendering.picture), "path": None}
    shared = bool(generator(seed, "gedit", drawing.index).random() < _SHARED)
    return [
        {
            "task_type": TASKS[edit.kind],
            "key": hashlib.blake2b(f"{seed}/{drawing.index}/{language}".encode(), digest_size=16).hexdigest(),
            "instruction": instruction,
            "instruction_language": language,
            "input_image": picture,
            "input_image_raw": picture,
            "Intersection_exist": shared,
        }
        for language, instruction in (("en", edit.instruction), ("cn", _CHINESE[edit.kind]))
    ]
