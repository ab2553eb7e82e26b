"""Parts of a page without the rest of it: pages as they are, and pages that snappy compressed.

A snappy block is a sequence of literals and of copies of earlier bytes. Its writers start again every 64 KB of raw
bytes and never copy from before that, so each such piece can be decoded alone. The format does not guarantee this, but
a copy that reaches further is noticed. Pictures do not compress, so there are only few literals to step over.
Source: snappy's ``format_description.txt``.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import pyarrow as pa

from cologen.datagen.images.parquet.pages import UnknownEncodingError

_SPAN = 1 << 16
# Of raw bytes to a literal or copy, below which stepping over them costs more than decoding.
_MIN_STEP = 256
_SNAPPY = pa.Codec("snappy")


@dataclass(frozen=True, slots=True)
class Block:
    """The ``raw[-1]`` bytes of a page; those from ``raw[i]`` on are stored in the file from ``stored[i]`` on."""

    raw: tuple[int, ...]
    stored: tuple[int, ...]
    compressed: bool

    def read(self, file: int, start: int, stop: int) -> bytes:
        """Raw bytes ``start`` to ``stop``.

        Raises:
            UnknownEncodingError: they cannot be had without the rest of the block, or the block is damaged.
        """
        if not 0 <= start <= stop <= self.raw[-1]:
            raise UnknownEncodingError(f"bytes {start} to {stop} of {self.raw[-1]}")
        if not self.compressed:
            return read_exactly(file, self.stored[0] + start, stop - start)
        first, last = bisect_right(self.raw, start) - 1, bisect_left(self.raw, stop)
        if first >= last:
            return b""
        data = read_exactly(file, self.stored[first], self.stored[last] - self.stored[first])
        return _decompress(data, self.raw[last] - self.raw[first])[start - self.raw[first] : stop - self.raw[first]]

    def read_span(self, file: int, start: int, size: int) -> bytes:
        """Raw bytes from ``start`` to where decoding ``size`` of them ends anyway."""
        if start + size > self.raw[-1]:
            raise UnknownEncodingError(f"{size} bytes from {start} on, of {self.raw[-1]}")
        return self.read(file, start, self.raw[bisect_left(self.raw, start + size)])


def plain_block(start: int, size: int) -> Block:
    """Bytes stored as they are."""
    return Block((*range(0, size, _SPAN), size), (start,), compressed=False)


def snappy_block(file: int, start: int, stored_size: int, raw_size: int) -> Block:
    """A block of snappy's, stepped through once.

    Raises:
        UnknownEncodingError: damaged, or full of short copies.
    """
    data = read_exactly(file, start, stored_size)
    place = 1
    while place < len(data) and data[place - 1] & 0x80:
        place += 1
    raw, stored, done, steps = [0], [start + place], 0, 0
    while place < stored_size:
        length, place = _step(data, place)
        done, steps = done + length, steps + 1
        if done >= raw[-1] + _SPAN:
            if steps * _MIN_STEP > max(done, 16 * _SPAN):
                raise UnknownEncodingError(f"{steps} steps in {done} bytes")
            raw.append(done)
            stored.append(start + place)
    if (done, place) != (raw_size, stored_size):
        raise UnknownEncodingError(f"{done} bytes in a block of {raw_size}")
    if raw[-1] < done:
        raw.append(done)
        stored.append(start + place)
    return Block(tuple(raw), tuple(stored), compressed=True)


def read_exactly(file: int, start: int, size: int) -> bytes:
    """``size`` bytes of an open file.

    Raises:
        UnknownEncodingError: the file ends before.
    """
    data = os.pread(file, size, start)
    if len(data) < size:
        raise UnknownEncodingError(f"the file ends {size - len(data)} bytes early")
    return data


def _step(data: bytes, place: int) -> tuple[int, int]:
    """The raw bytes that the literal or copy at ``place`` stands for, and the place of the next."""
    tag = data[place]
    kind, upper = tag & 3, tag >> 2
    if kind == 1:
        return (upper & 7) + 4, place + 2
    if kind:
        return upper + 1, place + (3 if kind == 2 else 5)
    if upper < 60:
        return upper + 1, place + upper + 2
    start = place + upper - 58
    length = int.from_bytes(data[place + 1 : start], "little") + 1
    return length, start + length


def _decompress(data: bytes, size: int) -> bytes:
    length, rest = bytearray(), size
    while rest >= 0x80:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    try:
        return _SNAPPY.decompress(bytes(length) + data, size, asbytes=True)
    except (pa.ArrowException, OSError) as error:
        raise UnknownEncodingError(f"not a block of its own: {error}") from error
