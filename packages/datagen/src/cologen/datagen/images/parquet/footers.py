"""A Parquet file opened by its footer, whose claims are checked against the size of the file before they are used."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from cologen.datagen.images import addresses
from cologen.datagen.images.parquet.chunks import Group, read_groups
from cologen.datagen.images.parquet.pages import UnknownEncodingError
from cologen.datagen.records import Reason, RejectedError

MAX_FOOTER_BYTES = 64 << 20
"""The most bytes that the footer of a file may have."""

_MAX_CONTAINER = 1 << 20  # elements of a list in the footer, as Arrow has it by default
_END = re.compile(rb"(.{4})PAR1", re.DOTALL)

_Value = TypeVar("_Value")


def readable(path: str, read: Callable[[], _Value]) -> _Value:
    """What ``read`` returns; what Arrow finds wrong with the content of the file is a rejection.

    Raises:
        RejectedError: the file is damaged, or none of Parquet's.
        OSError: the file cannot be read.
    """
    try:
        return read()
    except (pa.ArrowException, OSError, ValueError, OverflowError, IndexError, KeyError) as error:
        # Arrow says OSError of broken content too, but then without a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"{Path(path).name}: {_first_line(error)}") from None


def open_parquet(path: str) -> pq.ParquetFile:
    """The file with its footer parsed.

    Raises:
        FileNotFoundError: there is none.
        RejectedError: not a file, or its footer is damaged or claims what cannot be.
    """
    name = Path(path).name
    descriptor = addresses.open_regular(path, name)
    try:
        _check_length(descriptor, name)
    finally:
        os.close(descriptor)
    # Without the threads that read ahead: they would not survive a fork.
    file = readable(
        path,
        lambda: pq.ParquetFile(
            path,
            pre_buffer=False,
            thrift_string_size_limit=MAX_FOOTER_BYTES,
            thrift_container_size_limit=_MAX_CONTAINER,
        ),
    )
    counts = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
    if min(counts, default=0) < 0 or sum(counts) != file.metadata.num_rows:
        detail = f"{name}: {file.metadata.num_rows} rows in all, {sum(counts)} in its groups"
        raise RejectedError(Reason.TRUNCATED_IMAGE, detail)
    return file


def open_schema(path: str) -> pa.Schema:
    """The columns of a file.

    Raises:
        FileNotFoundError: there is none.
        RejectedError: as ``open_parquet``.
    """
    with open_parquet(path) as file:
        return readable(path, lambda: file.schema_arrow)


def open_groups(path: str) -> tuple[Group, ...]:
    """The row groups of a file.

    Raises:
        FileNotFoundError: there is none.
        RejectedError: as ``open_parquet``.
    """
    name = Path(path).name
    with open_parquet(path) as file:
        counts = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
    descriptor = addresses.open_regular(path, name)
    try:
        groups = read_groups(descriptor)
    except UnknownEncodingError as error:
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"{name}: {error}") from None
    finally:
        os.close(descriptor)
    if [group.num_rows for group in groups] != counts:
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"{name}: its row groups cannot be told")
    return groups


def _check_length(descriptor: int, name: str) -> None:
    size = os.fstat(descriptor).st_size
    found = _END.fullmatch(os.pread(descriptor, 8, max(0, size - 8)))
    length = int.from_bytes(found[1], "little") if found else 0
    if found and length > min(MAX_FOOTER_BYTES, size - 12):
        detail = f"{name}: a footer of {length:,} bytes in a file of {size:,}, at most {MAX_FOOTER_BYTES:,}"
        raise RejectedError(Reason.TRUNCATED_IMAGE, detail)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
