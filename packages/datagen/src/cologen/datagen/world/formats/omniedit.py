"""The synthetic dataset's edits in OmniEdit's format, Parquet: source, edited picture, phrasings, task and scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from cologen.datagen.randomness import generator
from cologen.datagen.world.edits import Edit, EditKind, edit
from cologen.datagen.world.formats.drawing import Drawing, Progress, Split, World, each_scene, jpeg, silent
from cologen.datagen.world.formats.parquet_files import IMAGE, write_rows
from cologen.datagen.world.render import render

TASKS: Mapping[EditKind, str] = MappingProxyType(
    {"recolor": "attribute_modification", "add": "addition", "remove": "removal", "replace": "swap"}
)
"""OmniEdit's names; it moves nothing."""

_FILES: dict[Split, str] = {"train": "train-00000-of-00001.parquet", "val": "dev-00000-of-00001.parquet"}
_FLAWED_SHARE = 0.1
_SCHEMA = pa.schema(
    [
        ("omni_edit_id", pa.string()),
        ("task", pa.string()),
        ("src_img", IMAGE),
        ("edited_img", IMAGE),
        ("edited_prompt_list", pa.list_(pa.string())),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("sc_score_1", pa.int64()),
        ("sc_score_2", pa.int64()),
        ("sc_reasoning", pa.string()),
        ("pq_score", pa.int64()),
        ("pq_reasoning", pa.string()),
        ("o_score", pa.float64()),
    ]
)


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``data/{train,dev}-00000-of-00001.parquet``, one edit for each scene that allows one."""
    write_rows(root / "data", _SCHEMA, each_scene(world, _row, workers=workers, progress=progress), _FILES)


def _row(drawing: Drawing) -> tuple[Split, dict[str, Any] | None]:
    found = _edit(drawing)
    if found is None:
        return drawing.split, None
    world, draw = drawing.world, generator(drawing.world.seed, "omniedit", drawing.index)
    name = f"task_world_{drawing.index:08d}"
    consistency, quality = (int(draw.integers(6, 9)) if draw.random() < _FLAWED_SHARE else 10 for _ in range(2))
    row = {
        "omni_edit_id": name,
        "task": TASKS[found.kind],
        "src_img": {"bytes": jpeg(drawing.rendering.picture), "path": f"{name}_src.jpg"},
        "edited_img": {
            "bytes": jpeg(render(found.after, world.width, world.height).picture),
            "path": f"{name}_edited.jpg",
        },
        "edited_prompt_list": [
            found.instruction,
            f"In this picture, {found.instruction[0].lower()}{found.instruction[1:]}",
        ],
        "width": world.width,
        "height": world.height,
        "sc_score_1": consistency,
        "sc_score_2": consistency,
        "sc_reasoning": "One object changed, as asked.",
        "pq_score": quality,
        "pq_reasoning": "Clean shapes and no artifacts.",
        "o_score": (consistency * quality) ** 0.5,
    }
    return drawing.split, row


def _edit(drawing: Drawing) -> Edit | None:
    """An edit of a kind that OmniEdit has a task for, the kinds tried in a drawn order."""
    seed = drawing.world.seed
    order = generator(seed, "omniedit kinds", drawing.index).permutation(len(TASKS))
    tried = (edit(drawing.scene, tuple(TASKS)[i], seed) for i in order)
    return next((found for found in tried if found is not None), None)
