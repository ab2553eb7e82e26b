"""Page headers and levels of a Parquet file, as far as columns of binary cells need them.

Source: the Parquet format's ``parquet.thrift`` and ``Encodings.md``; headers are structs of Thrift's compact protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Int64

DATA, DICTIONARY, DATA_V2 = 0, 2, 3
PLAIN, INDICES = 0, (2, 8)
"""Encodings: values one after the other; indices into the dictionary (``PLAIN_DICTIONARY``, ``RLE_DICTIONARY``)."""

_MAX_WIDTH = 32
_MAX_DEPTH = 8

Fields: TypeAlias = dict[int, "int | Fields"]
"""A struct by the numbers of its fields; strings in it are passed over."""

Levels = Int64[np.ndarray, " _num_levels"]


class UnknownEncodingError(ValueError):
    """Bytes that these modules do not read, damaged or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page; ``start`` is where its body begins, in bytes from where the header was looked for."""

    kind: int
    start: int
    stored_size: int
    raw_size: int
    num_values: int
    encoding: int
    levels_size: int
    """Of version 2: the bytes of levels that precede the values, never compressed."""
    of_lists: bool
    """Of version 2: some of those levels are of lists."""
    compressed: bool


def parse_page(data: bytes) -> Page:
    """The page whose header ``data`` begins with.

    Raises:
        UnknownEncodingError: no header of a page of values.
    """
    try:
        header, start = _struct(data, 0)
        kind = _number(header, 1)
        details = header[{DATA: 5, DICTIONARY: 7, DATA_V2: 8}[kind]]
        if isinstance(details, int):
            raise UnknownEncodingError(f"page {kind} says {details}")
        repetitions = _number(details, 6) if kind == DATA_V2 else 0
        return Page(
            kind=kind,
            start=start,
            raw_size=_number(header, 2),
            stored_size=_number(header, 3),
            num_values=_number(details, 1),
            encoding=_number(details, 4 if kind == DATA_V2 else 2),
            levels_size=repetitions + (_number(details, 5) if kind == DATA_V2 else 0),
            of_lists=repetitions > 0,
            compressed=kind != DATA_V2 or bool(details.get(7, 1)),
        )
    except (KeyError, IndexError) as error:
        raise UnknownEncodingError(f"no page header: {data[:20]!r}") from error


def parse_levels(data: bytes, width: int, count: int) -> Levels:
    """``count`` numbers of ``width`` bits in runs: of one number repeated, or of eight by eight packed ones.

    ``b"\\x08\\x01\\x03\\x05"`` of one bit is four times 1, then 1, 0, 1 and five times 0.

    Raises:
        UnknownEncodingError: there are fewer, or they are of more than 32 bits.
    """
    if not width:
        return np.zeros(count, np.int64)
    if width > _MAX_WIDTH:
        raise UnknownEncodingError(f"levels of {width} bits")
    found, total, place, octets = list[Levels](), 0, 0, -(-width // 8)
    while total < count:
        try:
            head, place = varint(data, place)
        except IndexError:
            raise UnknownEncodingError(f"{total} levels, expected {count}") from None
        if head & 1:
            octuples = min(head >> 1, -(-(count - total) // 8))
            packed = np.frombuffer(data[place : place + octuples * width], np.uint8)
            bits = np.unpackbits(packed, count=packed.size * 8 // width * width, bitorder="little").reshape(-1, width)
            run, place = bits @ (np.int64(1) << np.arange(width)), place + packed.size
        else:
            value = int.from_bytes(data[place : place + octets], "little")
            run, place = np.full(min(head >> 1, count), value), place + octets
        found.append(run)
        total += len(run)
    return np.concatenate([np.zeros(0, np.int64), *found])[:count]


def _struct(data: bytes, place: int, depth: int = 0) -> tuple[Fields, int]:
    """The fields from ``place`` on, and where the struct ends."""
    if depth > _MAX_DEPTH:
        raise UnknownEncodingError(f"{depth} structs within each other in a page header")
    fields, number = Fields(), 0
    while data[place]:
        number, kind, place = field_head(data, place, number)
        if kind in (1, 2):  # a truth value is its own type
            fields[number] = 2 - kind
        elif kind in (4, 5, 6):
            fields[number], place = signed(data, place)
        elif kind == 8:
            length, place = varint(data, place)
            place += length
        elif kind == 12:
            fields[number], place = _struct(data, place, depth + 1)
        else:
            raise UnknownEncodingError(f"type {kind} in a page header")
    return fields, place + 1


def field_head(data: bytes, place: int, number: int) -> tuple[int, int, int]:
    """Number and type of a struct's next field, the one before being ``number``, and where its value begins."""
    head, place = data[place], place + 1
    if head >> 4:
        return number + (head >> 4), head & 15, place
    number, place = signed(data, place)
    return number, head & 15, place


def signed(data: bytes, place: int) -> tuple[int, int]:
    """A whole number of Thrift, and where it ends.

    Raises:
        IndexError: the data ends before it.
        UnknownEncodingError: as ``varint``.
    """
    value, place = varint(data, place)
    return value >> 1 ^ -(value & 1), place


def varint(data: Sequence[int], place: int) -> tuple[int, int]:
    """A number of seven bits to a byte, the lowest first, and where it ends.

    Raises:
        IndexError: the data ends before it.
        UnknownEncodingError: it has more than 63 bits.
    """
    value, shift = 0, 0
    while (octet := data[place]) & 0x80:
        value |= (octet & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if shift > 63:
            raise UnknownEncodingError("a number of more than 63 bits")
    return value | octet << shift, place + 1


def _number(fields: Fields, name: int) -> int:
    value = fields[name]
    if not isinstance(value, int) or value < 0:
        raise UnknownEncodingError(f"field {name} of a page header is {value}")
    return value
