"""The synthetic dataset's edits in the format for a user's own editing data: JSON lines with pictures, or Parquet."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from cologen.datagen.world.edits import sample_edit
from cologen.datagen.world.formats.drawing import (
    SPLITS,
    Drawing,
    Progress,
    Split,
    World,
    each_scene,
    jpeg,
    save,
    silent,
)
from cologen.datagen.world.formats.parquet_files import IMAGE, write_rows
from cologen.datagen.world.render import render

_FILES: dict[Split, str] = {split: f"{split}.parquet" for split in SPLITS}
_SCHEMA = pa.schema([("source", IMAGE), ("instruction", pa.string()), ("target", IMAGE), ("edit_type", pa.string())])


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``{train,val}.jsonl`` with ``before/*.jpg`` and ``after/*.jpg``, one edit for each scene."""
    lines: dict[Split, list[str]] = {split: [] for split in SPLITS}
    for split, line in each_scene(world, partial(_line, root), workers=workers, progress=progress):
        lines[split].append(line)
    for split in SPLITS:
        save(root / f"{split}.jsonl", "".join(lines[split]))


def write_parquet(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``data/{train,val}.parquet`` with the pictures inside, one edit for each scene."""
    write_rows(root / "data", _SCHEMA, each_scene(world, _row, workers=workers, progress=progress), _FILES)


def _line(root: Path, drawing: Drawing) -> tuple[Split, str]:
    split, row = _row(drawing)
    for column in ("source", "target"):
        picture = row[column]
        save(root / picture["path"], picture["bytes"])
        row[column] = picture["path"]
    return split, json.dumps(row) + "\n"


def _row(drawing: Drawing) -> tuple[Split, dict[str, Any]]:
    world, name = drawing.world, f"{drawing.index:08d}.jpg"
    edit = sample_edit(drawing.scene, world.seed)
    target = render(edit.after, world.width, world.height).picture
    row = {
        "source": {"bytes": jpeg(drawing.rendering.picture), "path": f"before/{name}"},
        "instruction": edit.instruction,
        "target": {"bytes": jpeg(target), "path": f"after/{name}"},
        "edit_type": edit.kind,
    }
    return drawing.split, row
