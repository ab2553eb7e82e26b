"""Captioned_ADE20K, the Parquet files that give ADE20K its captions: one per split, joined by file name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import UInt8

from cologen.datagen.randomness import generator
from cologen.datagen.world.formats.drawing import SPLITS, Drawing, Split, png

FOLDERS: Mapping[Split, str] = MappingProxyType({"train": "training", "val": "validation"})
"""ADE20K's own names of the splits."""

_FILES: dict[Split, str] = {"train": "train-00000-of-00001.parquet", "val": "validation-00000-of-00001.parquet"}
_ROWS_PER_GROUP = 32
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_SCHEMA = pa.schema(
    [
        ("image", _IMAGE),
        ("detailed_prompt", pa.string()),
        ("control_seg", _IMAGE),
        ("seg_map", pa.list_(pa.list_(pa.uint8()))),
        ("image_path", pa.string()),
        ("prompt", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionedRow:
    """A picture with its label map and its captions, the first one short and the rest for the detailed prompt."""

    split: Split
    name: str
    jpeg: bytes
    labels: UInt8[np.ndarray, "height width"]
    captions: tuple[str, ...]


def file_name(drawing: Drawing) -> str:
    """ADE20K's name of a picture, without the suffix: ``ADE_train_00000001``."""
    return f"ADE_{drawing.split}_{drawing.index + 1:08d}"


def write_captions(root: Path, rows: Iterable[CaptionedRow]) -> None:
    """``Captioned_ADE20K/data/``, the rows in the order they come; only a few are held at a time."""
    folder = root / "Captioned_ADE20K" / "data"
    folder.mkdir(parents=True)
    waiting: dict[Split, list[CaptionedRow]] = {split: [] for split in SPLITS}
    with ExitStack() as stack:
        files = {split: stack.enter_context(pq.ParquetWriter(folder / _FILES[split], _SCHEMA)) for split in SPLITS}
        for row in rows:
            waiting[row.split].append(row)
            if len(waiting[row.split]) == _ROWS_PER_GROUP:
                files[row.split].write_table(_table(waiting[row.split]))
                waiting[row.split] = []
        for split in SPLITS:
            files[split].write_table(_table(waiting[split]))


def _palette() -> UInt8[np.ndarray, "labels 3"]:
    colors = generator(0, "ade20k palette").integers(32, 256, size=(256, 3), dtype=np.uint8)
    colors[0] = 0
    return colors


_PALETTE = _palette()


def _table(rows: list[CaptionedRow]) -> pa.Table:
    columns: list[dict[str, Any]] = [
        {
            "image": {"bytes": row.jpeg, "path": f"{row.name}.jpg"},
            "detailed_prompt": " ".join(f"{caption.rstrip('.')}." for caption in row.captions[1:]),
            "control_seg": {"bytes": png(_PALETTE[row.labels]), "path": f"{row.name}.png"},
            "seg_map": [*row.labels],
            "image_path": f"images/{FOLDERS[row.split]}/{row.name}.jpg",
            "prompt": row.captions[0],
        }
        for row in rows
    ]
    return pa.Table.from_pylist(columns, schema=_SCHEMA)
