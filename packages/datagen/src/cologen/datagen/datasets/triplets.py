"""Your own editing data: a folder with a list of source picture, instruction and target picture.

The list of a split is either JSON lines, ``train.jsonl`` (``val.jsonl``), with pictures beside it::

    {"source": "before/0001.jpg", "target": "after/0001.jpg", "instruction": "Make the sky pink.", "edit_type": "color"}
    {"source": "a.tar#0002-in.png", "target": "a.tar#0002-out.png", "instruction": ["Add a dog.", "Put a dog in."]}
    {"source": ["desk.jpg", "lamp.jpg"], "target": "c.jpg", "instruction": "Put the lamp of image 2 on the desk."}

or Parquet, ``train.parquet`` or ``train-00000-of-00008.parquet`` … (``val…``), at the root or in its folder ``data``,
with the same columns; ``source`` and ``target`` are paths there too, or the encoded pictures themselves (binary, or
the struct of ``bytes`` and ``path`` that public image datasets have).

Paths are relative to the folder and stay inside it. A ``source`` of several pictures is a list of paths, in JSON lines
alone; the first is the one that is compared with the target. An ``instruction`` is a string or a list of phrasings;
``edit_type`` may be left out. A line or row that cannot be used is counted with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from cologen.datagen import images
from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.index import open_lines
from cologen.datagen.datasets.files.parquet_rows import ParquetRows, parquet_files
from cologen.datagen.datasets.files.readings import Dataset, IndexedDataset, Reading, worded
from cologen.datagen.datasets.files.requirements import require_root, require_split
from cologen.datagen.images import addresses
from cologen.datagen.images.parquet.footers import open_schema
from cologen.datagen.pair_records import Pair
from cologen.datagen.records import Reason, RejectedError

NAME = "triplets"
_SPLITS = {"train": "train", "val": "val"}


def open_triplets(root: Path, split: str = "train") -> Dataset[Pair]:
    """The split's list of either form; JSON lines where there are both.

    Raises:
        FileNotFoundError: the root or the list is missing.
        ValueError: an unknown split, or a Parquet file without one of the columns.
    """
    require_root(root)
    require_split(NAME, split, _SPLITS)
    if (root / f"{split}.jsonl").is_file():
        return _open_jsonl(root, split)
    try:
        return _open_parquet(root, split)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}, and no file {split}.jsonl in {root}") from None


def _open_jsonl(root: Path, split: str) -> Dataset[Pair]:
    """``<split>.jsonl``, one object a line; pairs are named by the number of the line."""
    rows = open_lines(root, {split: root / f"{split}.jsonl"})
    return IndexedDataset(name=NAME, rows=rows, interpret=partial(_of_line, root, split))


def _open_parquet(root: Path, split: str) -> Dataset[Pair]:
    """``<split>*.parquet`` with columns ``source``, ``instruction``, ``target`` and perhaps ``edit_type``."""
    files = parquet_files(root, split)
    kinds = _kinds(files[0])
    paths = [name for name in ("source", "target") if name in kinds and _is_words(kinds[name])]
    pictures = [name for name in ("source", "target") if name not in paths]
    others = ["edit_type"] if "edit_type" in kinds else []
    rows = ParquetRows(root, files, pictures=pictures, values=["instruction", *others, *paths])
    return IndexedDataset(name=NAME, rows=rows, interpret=partial(_of_row, root, split, paths))


def _of_line(root: Path, split: str, key: str, payload: bytes) -> Reading[Pair]:
    row = fields.parse_record(payload)
    if not isinstance(row.get("source"), list):
        return _of_row(root, split, ("source", "target"), key, row)
    if not row["source"]:
        raise RejectedError(Reason.MALFORMED_RECORD, "source is a list without a picture")
    first, *more = ({**row, "source": each} for each in row["source"])
    reading = _of_row(root, split, ("source", "target"), key, first)
    uris = tuple(addresses.tidied(fields.text(each, "source")) for each in more)
    for uri in uris:
        images.probe(root, uri)
    return replace(reading, item=reading.item and replace(reading.item, more_source_uris=uris))


def _of_row(root: Path, split: str, paths: Sequence[str], key: str, row: fields.Record) -> Reading[Pair]:
    """The pair of a row whose columns ``paths`` are a user's own paths; the other one is an address already."""
    source, target = (
        addresses.tidied(fields.text(row, name)) if name in paths else row[name] for name in ("source", "target")
    )
    said = row.get("instruction")
    words = worded(said if isinstance(said, list) else [said], "instruction", Reason.EMPTY_INSTRUCTION)
    width, height = images.probe(root, target)
    pair = Pair(
        pair_id=key, source_uri=source, target_uri=target, width=width, height=height,
        source_size=images.probe(root, source), split=split, instructions=words,
        edit_type=fields.words(row.get("edit_type")) or None,
    )  # fmt: skip
    return Reading(item=pair)


def _is_words(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _kinds(path: Path) -> dict[str, pa.DataType]:
    """The columns of a file and their types; none where its footer is damaged, which is counted later."""
    try:
        schema = open_schema(str(path))
    except RejectedError:
        return {}
    return {field.name: field.type for field in schema}
