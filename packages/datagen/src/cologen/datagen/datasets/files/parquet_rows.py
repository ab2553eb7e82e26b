"""Rows of many Parquet files as one sequence: pictures by address, small columns group by group.

Footers are read once and their row counts kept in an index, so that opening thousands of files again is cheap. A file
whose footer cannot be read takes one place, at which it is rejected.

The fingerprint is a hash of each file's footer and of its columns of values as they are stored. The pictures themselves
are not hashed: they are terabytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cologen.datagen.datasets.files.fields import Record
from cologen.datagen.datasets.files.index import Listing, Row, encodable, open_index
from cologen.datagen.datasets.files.requirements import require_root
from cologen.datagen.images.parquet import files as parquet_images
from cologen.datagen.images.parquet.chunks import Group
from cologen.datagen.images.parquet.footers import open_groups, open_parquet
from cologen.datagen.records import Reason, RejectedError


class ParquetRows:
    """The rows of ``files`` in the order of their paths, with columns ``pictures`` and ``values`` in each.

    Raises:
        ValueError: a file lacks a column.
    """

    def __init__(self, root: Path, files: Sequence[Path], *, pictures: Sequence[str], values: Sequence[str]) -> None:
        self._root, self._pictures, self._values = root, list(pictures), list(values)
        columns = [*pictures, *values]
        build = partial(_list_files, root, files, columns)
        rows = open_index(root, files, ["parquet", *columns], build, partial(_digest, self._values))
        self._files = [_File(rows.key(i), json.loads(rows.payload(i))) for i in range(len(rows))]
        self._ends = list(accumulate(len(file) for file in self._files))
        self.fingerprint = rows.fingerprint
        """A hash of the files' names, sizes, footers and values, not of their pictures."""
        # One group's values: rows are mostly read in order.
        self._held: tuple[str, int] | None = None
        self._batches: list[pa.RecordBatch] = []

    def __len__(self) -> int:
        return self._ends[-1]

    def key(self, index: int) -> str:
        """``train-00000-of-00032/000017``: the file without its suffix, and the row."""
        file, row = self._place(index)
        return f"{Path(file.path).stem}/{row:06d}"

    def uri(self, index: int, column: str) -> str:
        """The address of a picture."""
        file, row = self._place(index)
        return parquet_images.cell_uri(file.path, row, column)

    def read(self, index: int) -> Record:
        """The values of a row, of whatever types they are.

        Raises:
            RejectedError: the file is damaged, or words in it are not UTF-8.
        """
        file, row = self._place(index)
        group, offset = file.place(row)
        if self._held != (file.path, group):
            self._batches = parquet_images.read_group(str(self._root / file.path), group, self._values)
            self._held = file.path, group
        batch, place = divmod(offset, self._batches[0].num_rows if self._batches else 1)
        if batch >= len(self._batches) or place >= self._batches[batch].num_rows:
            detail = f"{Path(file.path).name}: row group {group} ends before its row {offset}"
            raise RejectedError(Reason.TRUNCATED_IMAGE, detail)
        return _row(self._batches[batch], place)

    def row(self, index: int) -> Record:
        """The values of a row and the addresses of its pictures, by column.

        Raises:
            RejectedError: as ``read``.
        """
        return self.read(index) | {column: self.uri(index, column) for column in self._pictures}

    def _place(self, index: int) -> tuple[_File, int]:
        """The file, and the row in it."""
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        file = bisect_right(self._ends, index)
        return self._files[file], index - (self._ends[file - 1] if file else 0)


class _File:
    """The path of a file below the root, and the number of rows in each group, or what is wrong with it."""

    def __init__(self, path: str, found: list[int] | str) -> None:
        self.path = path
        self._damage = found if isinstance(found, str) else None
        self._ends = [] if isinstance(found, str) else list(accumulate(found))

    def __len__(self) -> int:
        """Rows, or 1 for a damaged file."""
        return 1 if self._damage else (self._ends or [0])[-1]

    def place(self, row: int) -> tuple[int, int]:
        """The row group, and the row's place in it."""
        if self._damage:
            raise RejectedError(Reason.TRUNCATED_IMAGE, self._damage)
        group = bisect_right(self._ends, row)
        return group, row - (self._ends[group - 1] if group else 0)


def parquet_files(root: Path, split: str) -> list[Path]:
    """The files ``<split>-*.parquet`` or ``<split>.parquet`` in ``root`` or the first of ``data`` below it; sorted.

    Raises:
        FileNotFoundError: there are none.
    """
    require_root(root)
    for folder in (root / "data", root):
        found = {*folder.glob(f"{split}-*.parquet"), *folder.glob(f"{split}.parquet")}
        if found:
            return sorted(found)
    raise FileNotFoundError(f"no file {split}-*.parquet in {root} or its folder data")


def _list_files(root: Path, files: Sequence[Path], columns: Sequence[str]) -> Listing:
    return Listing(rows=_rows(root, files, columns))


def _rows(root: Path, files: Sequence[Path], columns: Sequence[str]) -> Iterator[Row]:
    for path in files:
        yield encodable(path.relative_to(root).as_posix()), json.dumps(_row_counts(path, columns)).encode()


def _row_counts(path: Path, columns: Sequence[str]) -> list[int] | str:
    """The number of rows in each group, or what is wrong with the file."""
    try:
        footer = _footer(path)
        names = parquet_images.readable(str(path), lambda: footer.schema.to_arrow_schema().names)
    except RejectedError as error:
        return error.detail
    if missing := [name for name in columns if name not in names]:
        raise ValueError(
            f"{path} has no column {' and no column '.join(missing)}: "
            f"expected {', '.join(columns)}; found {', '.join(names)}"
        )
    counts = [footer.row_group(i).num_rows for i in range(footer.num_row_groups)]
    size = path.stat().st_size
    # Each row has a picture, and no picture has less than a byte.
    if min(counts, default=0) < 0 or sum(counts) > size:
        return f"{path.name}: its footer claims {sum(counts)} rows in {size} bytes"
    return counts


def _footer(path: Path) -> pq.FileMetaData:
    with open_parquet(str(path)) as file:
        return file.metadata


def _digest(values: Sequence[str], path: Path) -> str:
    """A hash of the footer and of the stored bytes of columns ``values``."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        footer = _footer(path)
        spans = _spans(open_groups(str(path)), values)
    except RejectedError as error:
        return f"damaged: {error.detail}"
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        for start, length in [(size - footer.serialized_size - 8, size), *spans]:
            if 0 <= start < size and length >= 0:
                file.seek(start)
                digest.update(file.read(min(length, size - start)))
    return digest.hexdigest()


def _spans(groups: Sequence[Group], values: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where the chunks of columns ``values`` start, and how long they are, in bytes."""
    for group in groups:
        for chunk in group.chunks:
            if chunk.path.partition(".")[0] in values:
                yield chunk.start, chunk.stored_size


def _row(batch: pa.RecordBatch, place: int) -> Record:
    try:
        return {name: batch.column(i)[place].as_py() for i, name in enumerate(batch.schema.names)}
    except UnicodeDecodeError as error:
        raise RejectedError(Reason.INVALID_UTF8, f"byte {error.start}: {error.reason}") from None
    except (ValueError, OverflowError) as error:
        # Times that no Python object holds, for example.
        raise RejectedError(Reason.MALFORMED_RECORD, f"a value that cannot be read: {error}") from None
