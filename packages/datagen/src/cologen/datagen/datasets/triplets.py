"""Your own editing data: a folder with a list of source picture, instruction and target picture.

The list of a split is either JSON lines, ``train.jsonl`` (``val.jsonl``), with pictures beside it::

    {"source": "before/0001.jpg", "target": "after/0001.jpg", "instruction": "Make the sky pink.", "edit_type": "color"}
    {"source": "a.tar#0002-in.png", "target": "a.tar#0002-out.png", "instruction": ["Add a dog.", "Put a dog in."]}

or Parquet, ``train.parquet`` or ``train-00000-of-00008.parquet`` … (``val…``), at the root or in its folder ``data``,
with the same columns; ``source`` and ``target`` are paths there too, or the encoded pictures themselves (binary, or
the struct of ``bytes`` and ``path`` that public image datasets have).

Paths are relative to the folder and stay inside it. An ``instruction`` is a string or a list of phrasings;
``edit_type`` may be left out. A line or row that cannot be used is counted with its reason.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pyarrow as pa

from cologen.datagen import images
from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.json_lines import open_lines
from cologen.datagen.datasets.files.pair_reading import read_pair, worded
from cologen.datagen.datasets.files.parquet_rows import ParquetRows, parquet_files
from cologen.datagen.datasets.files.requirements import require_root, require_split
from cologen.datagen.images import addresses
from cologen.datagen.images.parquet.footers import open_schema
from cologen.datagen.pair_records import Pair, PairReading, PairSource
from cologen.datagen.records import Reason, RejectedError

_SPLITS = {"train": "train", "val": "val"}
_NAME = "triplets"


def open_triplets(root: Path, split: str = "train") -> PairSource:
    """The split's list of either form; JSON lines where there are both.

    Raises:
        FileNotFoundError: the root or the list is missing.
        ValueError: an unknown split, or a Parquet file without one of the columns.
    """
    require_root(root)
    name = require_split(_NAME, split, _SPLITS)
    if (root / f"{name}.jsonl").is_file():
        return TripletLines(root, split)
    try:
        return TripletTable(root, split)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}, and no file {name}.jsonl in {root}") from None


class TripletLines:
    """``<split>.jsonl``, one object a line.

    Raises:
        FileNotFoundError: there is no such file, or nothing in it.
        ValueError: an unknown split.
    """

    name = _NAME

    def __init__(self, root: Path, split: str = "train") -> None:
        self._root, self._split = root, require_split(_NAME, split, _SPLITS)
        self._lines = open_lines(root, {self._split: root / f"{self._split}.jsonl"})

    def __len__(self) -> int:
        return len(self._lines)

    def read(self, index: int) -> PairReading:
        """The pair of a line, named by the number of the line."""
        return read_pair(self.name, self._lines.key(index), partial(self._interpret, index))

    def fingerprint(self) -> str:
        """A hash of the content of the list."""
        return self._lines.fingerprint

    def _interpret(self, index: int) -> PairReading:
        line = fields.parse_record(self._lines.payload(index))
        source, target = (addresses.tidied(fields.text(line, name)) for name in ("source", "target"))
        return _pair(self._root, self._lines.key(index), self._split, line, source, target)


class TripletTable:
    """``<split>*.parquet`` with columns ``source``, ``instruction``, ``target`` and perhaps ``edit_type``.

    Raises:
        FileNotFoundError: there are no such files.
        ValueError: an unknown split, or a file without one of the columns.
    """

    name = _NAME

    def __init__(self, root: Path, split: str = "train") -> None:
        self._root, self._split = root, require_split(_NAME, split, _SPLITS)
        files = parquet_files(root, self._split)
        kinds = _kinds(files[0])
        self._paths = {name for name in ("source", "target") if name in kinds and _is_words(kinds[name])}
        pictures = [name for name in ("source", "target") if name not in self._paths]
        others = ["edit_type"] if "edit_type" in kinds else []
        values = ["instruction", *others, *sorted(self._paths)]
        self._rows = ParquetRows(root, files, pictures=pictures, values=values)

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, index: int) -> PairReading:
        """The pair at ``index``, named by its file and row."""
        return read_pair(self.name, self._rows.key(index), partial(self._interpret, index))

    def fingerprint(self) -> str:
        """A hash of the files' words and footers: see ``ParquetRows``."""
        return self._rows.fingerprint()

    def _interpret(self, index: int) -> PairReading:
        row = self._rows.read(index)
        source, target = (
            addresses.tidied(fields.text(row, name)) if name in self._paths else self._rows.uri(index, name)
            for name in ("source", "target")
        )
        return _pair(self._root, self._rows.key(index), self._split, row, source, target)


def _pair(root: Path, key: str, split: str, row: fields.Record, source: str, target: str) -> PairReading:
    said = row.get("instruction")
    words = worded(said if isinstance(said, list) else [said], "instruction", Reason.EMPTY_INSTRUCTION)
    width, height = images.probe(root, target)
    pair = Pair(
        pair_id=key, source_uri=source, target_uri=target, width=width, height=height,
        source_size=images.probe(root, source), split=split, instructions=words,
        edit_type=fields.words(row.get("edit_type")) or None,
    )  # fmt: skip
    return PairReading(pair=pair)


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
