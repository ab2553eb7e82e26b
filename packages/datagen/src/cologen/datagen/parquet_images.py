"""Cells of Parquet files at random: ``file.parquet#row=17&column=image`` to bytes, each row group decoded once.

Parquet has no place for one cell: a column of a row group is decoded whole. So what was decoded last is kept, within a
bound, and rows near each other cost a copy. Every process has its own open files and its own memory of them.
"""

from __future__ import annotations

import re
import stat
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from cologen.datagen.records import Reason, RejectedError

SUFFIX = ".parquet"

_CELL = re.compile(r"row=([0-9]{1,18})&column=(.+)", re.DOTALL)
_OPEN_FILES = 64
# Arrow makes no struct of over 2 GB, and a row group of large pictures can be one.
ROWS_PER_BATCH = 64
_KEPT_BYTES = 256 << 20
# A sample's source, mask and target are columns of one group: with fewer kept, each would push out the next.
_KEPT_ALWAYS = 3

_Value = TypeVar("_Value")
_Key = tuple[str, int, int, str]
"""Path, time of change in ns, row group, column."""


def cell_uri(path: str, row: int, column: str) -> str:
    """The address of a cell, as ``parse_cell`` understands it after the ``#``."""
    return f"{path}#row={row}&column={column}"


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
        batches = _KEPT.get((path, file.changed_ns, group, column), lambda: file.pictures(group, column))
    batch, place = divmod(offset, ROWS_PER_BATCH)
    data: bytes | None = batches[batch][place].as_py()
    if data is None:
        raise RejectedError(Reason.MISSING_IMAGE, f"{column} of row {row} is null")
    return data


def read_group(path: str, group: int, columns: Sequence[str]) -> list[pa.RecordBatch]:
    """Small columns of one row group, ``ROWS_PER_BATCH`` rows each; not kept.

    Raises:
        FileNotFoundError: there is no file.
        RejectedError: the file is damaged.
    """
    with _LOCK:
        return _open(path).batches(group, columns)


def readable(path: str, read: Callable[[], _Value]) -> _Value:
    """What ``read`` returns; what Arrow finds wrong with the content of the file is a rejection.

    Raises:
        RejectedError: the file is damaged, or none of Parquet's.
    """
    try:
        return read()
    except (pa.ArrowException, OSError) as error:
        # Arrow says OSError of broken content too, but then without a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"{Path(path).name}: {_first_line(error)}") from None


class _File:
    """An open Parquet file, its footer parsed."""

    def __init__(self, path: str, changed_ns: int) -> None:
        self._path, self.changed_ns = path, changed_ns
        # Without the threads that read ahead: they would not survive a fork.
        self._file = readable(path, lambda: pq.ParquetFile(path, pre_buffer=False))
        metadata = self._file.metadata
        self._ends = list(accumulate(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)))

    def place(self, row: int) -> tuple[int, int]:
        """The row group, and the row's place in it."""
        group = bisect_right(self._ends, row)
        if group == len(self._ends):
            rows = self._ends[-1] if self._ends else 0
            raise RejectedError(Reason.MISSING_IMAGE, f"row {row} of a file of {rows} rows")
        return group, row - (self._ends[group - 1] if group else 0)

    def pictures(self, group: int, column: str) -> list[pa.Array]:
        """The encoded pictures of a row group, as binary."""
        schema = self._file.schema_arrow
        if schema.get_field_index(column) < 0:
            raise RejectedError(Reason.MISSING_IMAGE, f"no column {column!a}: there are {', '.join(schema.names)}")
        kind = schema.field(column).type
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            cells = [batch.column(0).flatten()[0] for batch in self.batches(group, [f"{column}.bytes"])]
        else:
            cells = [batch.column(0) for batch in self.batches(group, [column])]
        if not all(pa.types.is_binary(cell.type) or pa.types.is_large_binary(cell.type) for cell in cells):
            raise RejectedError(Reason.MALFORMED_RECORD, f"column {column} holds {kind}, not encoded pictures")
        return cells

    def batches(self, group: int, columns: Sequence[str]) -> list[pa.RecordBatch]:
        """Columns of a row group, or a member of a struct as ``column.member``."""
        read = partial(
            self._file.iter_batches,
            batch_size=ROWS_PER_BATCH,
            row_groups=[group],
            columns=list(columns),
            use_threads=False,
        )
        return readable(self._path, lambda: list(read()))


class _Recent:
    """What was decoded last, up to ``_KEPT_BYTES`` or ``_KEPT_ALWAYS`` columns, whichever is more."""

    def __init__(self) -> None:
        self._kept = OrderedDict[_Key, list[pa.Array]]()
        self._bytes = 0

    def get(self, key: _Key, decode: Callable[[], list[pa.Array]]) -> list[pa.Array]:
        """The kept cells, or those that ``decode`` makes."""
        cells = self._kept.get(key)
        if cells is None:
            cells = self._kept[key] = decode()
            self._bytes += _size(cells)
            while self._bytes > _KEPT_BYTES and len(self._kept) > _KEPT_ALWAYS:
                self._bytes -= _size(self._kept.popitem(last=False)[1])
        self._kept.move_to_end(key)
        return cells


_LOCK = Lock()
"""Arrow's readers are not made for several threads, and a group is to be decoded by one of them only."""
_KEPT = _Recent()


def _open(path: str) -> _File:
    state = Path(path).stat()
    if not stat.S_ISREG(state.st_mode):
        raise RejectedError(Reason.MISSING_IMAGE, f"{Path(path).name} is not a file")
    return _opened(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=_OPEN_FILES)
def _opened(path: str, _size: int, changed_ns: int) -> _File:
    return _File(path, changed_ns)


def _size(cells: Sequence[pa.Array]) -> int:
    return sum(part.nbytes for part in cells)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
