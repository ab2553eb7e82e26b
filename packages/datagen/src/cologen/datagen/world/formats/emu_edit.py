"""The synthetic dataset's edits in the format of Emu Edit's test set, Parquet: a picture, an instruction, two captions.

There is no target. Every tenth scene is for validation, the others are the test split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from cologen.datagen.world.captions import captions
from cologen.datagen.world.edits import EditKind, sample_edit
from cologen.datagen.world.formats.drawing import Drawing, Progress, Split, World, each_scene, png, silent
from cologen.datagen.world.formats.parquet_files import IMAGE, write_rows

TASKS: Mapping[EditKind, str] = MappingProxyType(
    {"recolor": "color", "add": "add", "remove": "remove", "replace": "local", "move": "local"}
)
"""Emu Edit's names; the test set has text, style, background and global edits too."""

_SPLITS: Mapping[Split, str] = MappingProxyType({"train": "test", "val": "validation"})
_FILES: dict[Split, str] = {split: f"{name}-00000-of-00001.parquet" for split, name in _SPLITS.items()}
_SCHEMA = pa.schema(
    [
        ("instruction", pa.string()),
        ("image", IMAGE),
        ("task", pa.string()),
        ("split", pa.string()),
        ("idx", pa.int64()),
        ("hash", pa.string()),
        ("input_caption", pa.string()),
        ("output_caption", pa.string()),
    ]
)


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``data/{test,validation}-00000-of-00001.parquet``, one edit for each scene."""
    write_rows(root / "data", _SCHEMA, each_scene(world, _row, workers=workers, progress=progress), _FILES)


def _row(drawing: Drawing) -> tuple[Split, dict[str, Any]]:
    edit = sample_edit(drawing.scene, drawing.world.seed)
    picture = png(drawing.rendering.picture)
    row = {
        "instruction": edit.instruction,
        "image": {"bytes": picture, "path": None},
        "task": TASKS[edit.kind],
        "split": _SPLITS[drawing.split],
        "idx": drawing.index,
        "hash": hashlib.blake2b(picture, digest_size=8).hexdigest(),
        "input_caption": drawing.captions[0],
        "output_caption": captions(edit.after, 1)[0],
    }
    return drawing.split, row
