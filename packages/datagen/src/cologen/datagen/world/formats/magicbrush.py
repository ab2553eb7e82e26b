"""The synthetic dataset's edits in MagicBrush's formats: sessions of up to three turns, each an edit of the one before.

``write`` makes the Parquet files of training and development, ``write_test`` the folders that ``test.zip`` holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from jaxtyping import UInt8

from cologen.datagen.randomness import generator
from cologen.datagen.world.captions import captions
from cologen.datagen.world.edits import Edit, sample_edit
from cologen.datagen.world.formats.drawing import Drawing, Progress, Split, World, each_scene, png, save, silent
from cologen.datagen.world.formats.parquet_files import IMAGE, write_rows
from cologen.datagen.world.render import render

MAX_TURNS = 3

_FILES: dict[Split, str] = {"train": "train-00000-of-00001.parquet", "val": "dev-00000-of-00001.parquet"}
_BRUSH = 5
"""Pixels by which the drawn mask reaches beyond what changes."""
_SCHEMA = pa.schema(
    [
        ("img_id", pa.string()),
        ("turn_index", pa.int32()),
        ("source_img", IMAGE),
        ("mask_img", IMAGE),
        ("instruction", pa.string()),
        ("target_img", IMAGE),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """One edit with its pictures as PNG, ``index`` counted from 1; ``mask`` is ``source`` with what changes erased."""

    index: int
    edit: Edit
    source: bytes
    mask: bytes
    target: bytes


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``data/{train,dev}-00000-of-00001.parquet``, one session for each scene and one row for each turn."""
    rows = chain.from_iterable(each_scene(world, _rows, workers=workers, progress=progress))
    write_rows(root / "data", _SCHEMA, rows, _FILES)


def write_test(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``test/images/<id>/<id>-{input,maskN,outputN}.png`` and the four lists beside; every scene is a session."""
    found = list(each_scene(world, partial(_session, root / "test/images"), workers=workers, progress=progress))
    sessions = {name: turns for name, turns, _ in found}
    descriptions = {name: said for name, _, said in found}
    lists: dict[str, Any] = {
        "edit_sessions": sessions,
        "edit_turns": [turn for turns in sessions.values() for turn in turns],
        "global_descriptions": descriptions,
        "local_descriptions": descriptions,
    }
    for name, content in lists.items():
        save(root / "test" / f"{name}.json", json.dumps(content, indent=1))


def _rows(drawing: Drawing) -> list[tuple[Split, dict[str, Any]]]:
    name = _name(drawing)
    return [
        (
            drawing.split,
            {
                "img_id": name,
                "turn_index": turn.index,
                "source_img": {"bytes": turn.source, "path": _source_name(name, turn.index)},
                "mask_img": {"bytes": turn.mask, "path": f"{name}-mask{turn.index}.png"},
                "instruction": turn.edit.instruction,
                "target_img": {"bytes": turn.target, "path": f"{name}-output{turn.index}.png"},
            },
        )
        for turn in _turns(drawing)
    ]


def _session(folder: Path, drawing: Drawing) -> tuple[str, list[dict[str, str]], dict[str, str]]:
    """The session's name, its turns, and a description of each picture; pictures are written."""
    name = _name(drawing)
    turns: list[dict[str, str]] = []
    described = {_source_name(name, 1): drawing.captions[0]}
    for turn in _turns(drawing):
        row = {
            "input": _source_name(name, turn.index),
            "mask": f"{name}-mask{turn.index}.png",
            "output": f"{name}-output{turn.index}.png",
        }
        for file, data in zip(row.values(), (turn.source, turn.mask, turn.target), strict=True):
            save(folder / name / file, data)
        turns.append({**row, "instruction": turn.edit.instruction})
        described[row["output"]] = captions(turn.edit.after, 1)[0]
    return name, turns, described


def _turns(drawing: Drawing) -> Iterator[_Turn]:
    world, scene, picture = drawing.world, drawing.scene, drawing.rendering.picture
    count = int(generator(world.seed, "magicbrush", drawing.index).integers(1, MAX_TURNS + 1))
    for index in range(1, count + 1):
        # Its own seed for each turn: the edit of the same scene would be the same again.
        found = sample_edit(scene, world.seed + index)
        target = render(found.after, world.width, world.height).picture
        yield _Turn(
            index=index, edit=found, source=png(picture), mask=_erased(picture, target), target=png(target)
        )  # fmt: skip
        scene, picture = found.after, target


def _erased(source: UInt8[np.ndarray, "height width 3"], target: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """The source as PNG with alpha 0, and black, where the two differ and a brush's width around."""
    changed = (source != target).any(axis=2).astype(np.uint8)
    reached = cv2.dilate(changed, np.ones((2 * _BRUSH + 1, 2 * _BRUSH + 1), dtype=np.uint8)).astype(bool)
    layer = cv2.cvtColor(source, cv2.COLOR_RGB2BGRA)
    layer[reached] = 0
    return cv2.imencode(".png", layer)[1].tobytes()


def _source_name(name: str, turn: int) -> str:
    """What a turn starts from: the input, or what the turn before left."""
    return f"{name}-input.png" if turn == 1 else f"{name}-output{turn - 1}.png"


def _name(drawing: Drawing) -> str:
    return str(100_000 + drawing.index)
