"""Writes the synthetic dataset's rows into Parquet files, one per split or one alone, by row groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cologen.datagen.world.formats.drawing import SPLITS, Split

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""A picture in a cell: its encoded bytes, and the name of the file they came from."""

FILES: Mapping[Split, str] = MappingProxyType(
    {"train": "train-00000-of-00001.parquet", "val": "validation-00000-of-00001.parquet"}
)

_ROWS_PER_GROUP = 32


def write_rows(
    folder: Path,
    schema: pa.Schema,
    rows: Iterable[tuple[Split, dict[str, Any] | None]],
    files: Mapping[Split, str] = FILES,
) -> None:
    """One file per split, the rows in the order they come; None is a scene without a row."""
    folder.mkdir(parents=True)
    waiting: dict[Split, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    with ExitStack() as stack:
        writers = {split: stack.enter_context(pq.ParquetWriter(folder / files[split], schema)) for split in SPLITS}
        for split, row in rows:
            if row is not None:
                waiting[split].append(row)
            if len(waiting[split]) == _ROWS_PER_GROUP:
                writers[split].write_table(pa.Table.from_pylist(waiting[split], schema=schema))
                waiting[split] = []
        for split in SPLITS:
            writers[split].write_table(pa.Table.from_pylist(waiting[split], schema=schema))


def write_file(path: Path, schema: pa.Schema, rows: Iterable[dict[str, Any]]) -> None:
    """One file with all rows in the order they come, and its parent folders."""
    path.parent.mkdir(parents=True)
    waiting = iter(rows)
    with pq.ParquetWriter(path, schema) as writer:
        while group := list(islice(waiting, _ROWS_PER_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
