"""The synthetic dataset's edits in the format of ImgEdit-Bench's basic suite: one JSON object, and pictures beside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from cologen.datagen.world.edits import EditKind, sample_edit
from cologen.datagen.world.formats.drawing import Drawing, Progress, World, each_scene, jpeg, save, silent

TYPES: Mapping[EditKind, str] = MappingProxyType(
    {"recolor": "adjust", "add": "add", "remove": "remove", "replace": "replace", "move": "action"}
)
"""Five of ImgEdit-Bench's nine."""


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``basic_edit.json`` and ``original_images/<ground>/*.jpg``, one edit for each scene."""
    rows = each_scene(world, partial(_edit, root / "original_images"), workers=workers, progress=progress)
    edits = {str(number): row for number, row in enumerate(rows, 1)}
    save(root / "basic_edit.json", json.dumps(edits, indent=4))


def _edit(folder: Path, drawing: Drawing) -> dict[str, str]:
    edit = sample_edit(drawing.scene, drawing.world.seed)
    path = f"{drawing.scene.ground}/{drawing.index + 1:09d}.jpg"
    save(folder / path, jpeg(drawing.rendering.picture))
    return {"id": path, "prompt": edit.instruction, "edit_type": TYPES[edit.kind]}
