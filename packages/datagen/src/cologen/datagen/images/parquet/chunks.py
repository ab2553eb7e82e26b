"""The row groups in a Parquet file's footer: the position of each column's chunk, and its encoding.

Arrow's own objects for a chunk check what the footer says and end the process where it cannot be (an unknown codec,
statistics of another size), so the footer is read here: structs of Thrift's compact protocol, as in ``parquet.thrift``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, TypeAlias

from cologen.datagen.images import addresses
from cologen.datagen.images.parquet.pages import UnknownEncodingError, field_head, signed, varint

UNCOMPRESSED, SNAPPY = 0, 1
BYTE_ARRAY = 6

_Wanted: TypeAlias = dict[int, Any]
_CHUNK: _Wanted = {1: {}, 3: {}, 4: {}, 5: {}, 7: {}, 9: {}, 11: {}}
_FOOTER: _Wanted = {4: {1: {3: _CHUNK}, 3: {}}}
"""The fields that are kept of the footer, by their numbers; a group's columns are 1, and a column's own fields 3."""
_MAX_DEPTH = 16
_LONG_LIST = 15
_END_BYTES = 8
_FIXED = {3: 1, 7: 8}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A column of a row group; places and sizes are bytes of the file, as the footer claims them."""

    path: str
    """``image.bytes``"""
    kind: int
    """The physical type."""
    codec: int
    num_values: int
    stored_size: int
    start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A row group; its chunks are in the order of the schema's leaves."""

    num_rows: int
    chunks: tuple[Chunk, ...]


def read_groups(file: int) -> tuple[Group, ...]:
    """The row groups of an open file.

    Raises:
        UnknownEncodingError: the footer is damaged.
        OSError: the file cannot be read.
    """
    size = os.fstat(file).st_size
    length = int.from_bytes(addresses.read_span(file, max(0, size - _END_BYTES), 4), "little")
    if length > size - _END_BYTES:
        raise UnknownEncodingError(f"a footer of {length:,} bytes in a file of {size:,}")
    try:
        footer, _ = _struct(addresses.read_span(file, size - _END_BYTES - length, length), 0, _FOOTER, 0)
        return tuple(_group(group) for group in footer.get(4, ()))
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise UnknownEncodingError(f"a damaged footer: {type(error).__name__} {error}") from error


def _group(fields: dict[int, Any]) -> Group:
    return Group(num_rows=int(fields[3]), chunks=tuple(_chunk(column[3]) for column in fields[1]))


def _chunk(fields: dict[int, Any]) -> Chunk:
    return Chunk(
        path=".".join(name.decode(errors="replace") for name in fields[3]),
        kind=int(fields[1]),
        codec=int(fields[4]),
        num_values=int(fields[5]),
        stored_size=int(fields[7]),
        start=int(fields.get(11) or fields[9]),
    )


def _struct(data: bytes, place: int, wanted: _Wanted, depth: int) -> tuple[dict[int, Any], int]:
    """The requested fields, and the position where it ends."""
    if depth > _MAX_DEPTH:
        raise UnknownEncodingError(f"{depth} structs within each other in a footer")
    fields, number = dict[int, Any](), 0
    while data[place]:
        number, kind, place = field_head(data, place, number)
        value, place = _value(data, place, kind, wanted.get(number), depth)
        if number in wanted:
            fields[number] = value
    return fields, place + 1


def _value(data: bytes, place: int, kind: int, wanted: _Wanted | None, depth: int) -> tuple[Any, int]:
    if kind in (1, 2):  # a truth value is its own type
        return None, place
    if kind in (4, 5, 6):
        return signed(data, place)
    if kind == 8:
        length, place = varint(data, place)
        return (None if wanted is None else data[place : place + length]), place + length
    if kind in (9, 10):
        return _list(data, place, wanted, depth)
    if kind == 12:
        return _struct(data, place, wanted or {}, depth + 1)
    if kind in _FIXED:
        return None, place + _FIXED[kind]
    raise UnknownEncodingError(f"type {kind} in a footer")


def _list(data: bytes, place: int, wanted: _Wanted | None, depth: int) -> tuple[list[Any], int]:
    count, of, place = data[place] >> 4, data[place] & 15, place + 1
    if count == _LONG_LIST:
        count, place = varint(data, place)
    values: list[Any] = []
    for _ in range(count):
        value, place = (None, place + 1) if of in (1, 2) else _value(data, place, of, wanted, depth + 1)
        if place > len(data):
            raise UnknownEncodingError(f"a list of {count:,} that goes beyond the footer")
        if wanted is not None:
            values.append(value)
    return values, place
