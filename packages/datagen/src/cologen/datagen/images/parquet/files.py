"""Cells of Parquet files at random: ``file.parquet#row=17&column=image`` to bytes.

The positions of a row group's pictures are looked up once and kept, and each is then read alone. Where the file's
encoding does not allow that, Arrow decodes the group's column whole, and what it decoded last is kept, within a bound.
Every process has its own open files and its own memory of them.
"""

from __future__ import annotations

import os
import re
import weakref
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar, cast

import pyarrow as pa

from cologen.datagen.images import addresses
from cologen.datagen.images.parquet.cells import NONE_LOCATED, Cells, check_pages, locate_cells
from cologen.datagen.images.parquet.footers import open_groups, open_parquet, open_schema, readable
from cologen.datagen.images.parquet.pages import UnknownEncodingError
from cologen.datagen.records import Reason, RejectedError

_CELL = re.compile(r"row=([0-9]{1,18})&column=(.+)", re.DOTALL)
_OPEN_FILES = 64
# Arrow makes no struct of over 2 GB, and a row group of large pictures can be one.
ROWS_PER_BATCH = 64
# What a row group's column may become in memory: rows can repeat what a page has once.
_MAX_DECODED_BYTES, _MAX_DECODED_RATIO = 1 << 30, 128

_Value = TypeVar("_Value")
_Key = tuple[str, int, int, str]
"""Path, time of change in ns, row group, leaf column."""


def cell_uri(path: str, row: int, column: str) -> str:
    """The address of a cell, whose part after the ``#`` ``parse_cell`` understands."""
    return addresses.address(path, f"row={row}&column={column}")


def parse_cell(member: str) -> tuple[int, str]:
    """Row and column of ``row=17&column=image``.

    Raises:
        RejectedError: of another form.
    """
    found = _CELL.fullmatch(member)
    if found is None:
        raise RejectedError(Reason.UNSAFE_PATH, f"expected row=…&column=…, found {ascii(member)[:60]}")
    return int(found[1]), found[2]


def read_member(path: str, row: int, column: str) -> bytes:
    """The encoded picture in a cell: binary, or a struct with binary ``bytes``; ``row`` counts through the file.

    Raises:
        FileNotFoundError: there is no file.
        RejectedError: no such row or column, a null cell, or a damaged file.
    """
    with _LOCK:
        file = _open(path)
        group, offset = file.place(row)
        leaf = file.leaf(column)
        key = path, file.changed_ns, group, leaf
        cells = _LOCATED.get(key, lambda: file.cells(group, leaf))
    cell = f"{column} of row {row}"
    addresses.refuse_oversized(cells.size(offset), cell)
    try:
        data = cells.read(file.descriptor, offset)
    except UnknownEncodingError:
        with _LOCK:
            batches = _DECODED.get(key, lambda: file.pictures(group, leaf))
        data = _picture(batches, offset)
    if data is None:
        raise RejectedError(Reason.MISSING_IMAGE, f"{cell} is null")
    addresses.refuse_oversized(len(data), cell)
    return data


def read_group(path: str, group: int, columns: Sequence[str]) -> list[pa.RecordBatch]:
    """Small columns of one row group, not kept: batches of as many rows as the first has, the last may be shorter.

    Raises:
        FileNotFoundError: there is no file.
        RejectedError: the file is damaged.
    """
    with _LOCK:
        return _open(path).batches(group, columns)


def read_columns(path: str, columns: Sequence[str]) -> pa.Table:
    """Small columns of a whole file.

    Raises:
        FileNotFoundError: there is no file.
        RejectedError: the file is damaged.
    """
    with _LOCK:
        file = _open(path)
        batches = [batch for group in range(file.num_groups) for batch in file.batches(group, columns)]
    return pa.Table.from_batches(batches) if batches else pa.table({name: pa.array([], pa.null()) for name in columns})


class _File:
    """An open Parquet file, its footer parsed."""

    def __init__(self, path: str, changed_ns: int) -> None:
        self._path, self.changed_ns = path, changed_ns
        self._file, self._schema = open_parquet(path), open_schema(path)
        self.descriptor = addresses.open_regular(path, Path(path).name)
        weakref.finalize(self, os.close, self.descriptor)
        self._groups = open_groups(path)
        self._ends = list(accumulate(group.num_rows for group in self._groups))

    @property
    def num_groups(self) -> int:
        """Row groups."""
        return len(self._ends)

    def place(self, row: int) -> tuple[int, int]:
        """The row group, and the row's place in it."""
        group = bisect_right(self._ends, row)
        if group == len(self._ends):
            rows = self._ends[-1] if self._ends else 0
            raise RejectedError(Reason.MISSING_IMAGE, f"row {row} of a file of {rows} rows")
        return group, row - (self._ends[group - 1] if group else 0)

    def leaf(self, column: str) -> str:
        """The path of a column's encoded pictures: its own, or that of its member ``bytes``."""
        schema = self._schema
        if schema.get_field_index(column) < 0:
            raise RejectedError(Reason.MISSING_IMAGE, f"no column {column!a}: there are {', '.join(schema.names)}")
        kind = schema.field(column).type
        inside = pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
        if not _is_binary(kind.field("bytes").type if inside else kind):
            raise RejectedError(Reason.MALFORMED_RECORD, f"column {column} holds {kind}, not encoded pictures")
        return f"{column}.bytes" if inside else column

    def cells(self, group: int, leaf: str) -> Cells:
        """The positions of a row group's pictures; none where only Arrow can read them."""
        try:
            return locate_cells(self.descriptor, self._file.schema, self._groups[group], leaf)
        except UnknownEncodingError:
            return NONE_LOCATED

    def pictures(self, group: int, leaf: str) -> list[pa.Array]:
        """The encoded pictures of a row group, as binary."""
        columns = [batch.column(0) for batch in self.batches(group, [leaf])]
        return [cells.flatten()[0] if pa.types.is_struct(cells.type) else cells for cells in columns]

    def batches(self, group: int, columns: Sequence[str]) -> list[pa.RecordBatch]:
        """Columns of a row group, or a member of a struct as ``column.member``."""
        name = Path(self._path).name
        try:
            stored, largest = check_pages(self.descriptor, self._groups[group], columns)
        except UnknownEncodingError as error:
            raise RejectedError(Reason.TRUNCATED_IMAGE, f"{name}: {error}") from None
        most = max(_MAX_DECODED_BYTES, _MAX_DECODED_RATIO * stored)
        read = partial(
            self._file.iter_batches,
            # Rows may repeat what a page has once.
            batch_size=max(1, min(ROWS_PER_BATCH, most // largest)),
            row_groups=[group],
            columns=list(columns),
            use_threads=False,
        )
        return readable(self._path, lambda: list(_bounded(read(), most, name)))


def _bounded(batches: Iterable[pa.RecordBatch], most: int, name: str) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        most -= batch.nbytes
        if most < 0:
            raise RejectedError(Reason.TOO_LARGE, f"{name}: its rows repeat their content until memory is full")
        yield batch


def _picture(batches: Sequence[pa.Array], offset: int) -> bytes | None:
    batch, place = divmod(offset, len(batches[0]) if batches else 1)
    if batch >= len(batches) or place >= len(batches[batch]):
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"the row group ends before its row {offset}")
    return cast(bytes | None, batches[batch][place].as_py())


def _is_binary(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return any(test(kind) for test in tests)


class _Recent(Generic[_Value]):
    """What was made last, up to ``most_bytes`` or ``always`` values, whichever is more."""

    def __init__(self, most_bytes: int, always: int, size: Callable[[_Value], int]) -> None:
        self._kept = OrderedDict[_Key, _Value]()
        self._most_bytes, self._always, self._size, self._bytes = most_bytes, always, size, 0

    def get(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """The kept value, or what ``make`` makes."""
        if key not in self._kept:
            value = self._kept[key] = make()
            self._bytes += self._size(value)
            while self._bytes > self._most_bytes and len(self._kept) > self._always:
                self._bytes -= self._size(self._kept.popitem(last=False)[1])
        self._kept.move_to_end(key)
        return self._kept[key]


_LOCK = Lock()
"""Arrow's readers are not made for several threads, and a group is to be gone through by one of them only."""
_LOCATED = _Recent[Cells](64 << 20, 1, lambda cells: cells.nbytes)
# A sample's source, mask and target are columns of one group: with fewer kept, each would push out the next.
_DECODED = _Recent[list[pa.Array]](256 << 20, 3, lambda batches: sum(batch.nbytes for batch in batches))


def _open(path: str) -> _File:
    state = Path(path).stat()
    return _opened(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=_OPEN_FILES)
def _opened(path: str, _size: int, changed_ns: int) -> _File:
    return _File(path, changed_ns)
