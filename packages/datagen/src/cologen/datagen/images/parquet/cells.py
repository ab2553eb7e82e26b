"""The position of each binary cell in a column chunk, so that one is read without the others.

Writers put a row group's pictures into one or a few pages, often all into the dictionary, so a cell is read as a part
of a page's block. Columns of lists, other codecs than snappy and other encodings are left to Arrow, for which
``check_pages`` first checks that the sizes in the page headers are possible.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from struct import Struct

import numpy as np
import pyarrow.parquet as pq
from jaxtyping import Bool, Int64

from cologen.datagen.images.parquet.blocks import Block, plain_block, read_exactly, snappy_block
from cologen.datagen.images.parquet.chunks import BYTE_ARRAY, SNAPPY, UNCOMPRESSED, Chunk, Group
from cologen.datagen.images.parquet.pages import (
    DATA_V2,
    DICTIONARY,
    INDICES,
    PLAIN,
    Page,
    UnknownEncodingError,
    parse_levels,
    parse_page,
)

MAX_GROUP_ROWS = 1 << 22
"""The most rows of a row group; writers take a million at most by default."""

_HEADER_BYTES, _LONG_HEADER_BYTES = 1 << 14, 1 << 20
# Pictures hardly become smaller, and text by less than this.
_MAX_RATIO, _MAX_SMALL_BYTES, _MAX_VALUES_PER_BYTE = 128, 16 << 20, 4096
_LENGTH = Struct("<I")
_SHARED_PREFIXES = 7  # DELTA_BYTE_ARRAY

Spans = Int64[np.ndarray, "_num_cells 3"]
"""Block, start and stop of each cell; a block of -1 is a null."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one column chunk."""

    blocks: tuple[Block, ...]
    spans: Spans

    def read(self, file: int, row: int) -> bytes | None:
        """The cell of a row counted from the chunk's first; None where it is null.

        Raises:
            UnknownEncodingError: it cannot be had alone.
        """
        if row >= len(self.spans):
            raise UnknownEncodingError(f"cell {row} is not among {len(self.spans)}")
        block, start, stop = self.spans[row].tolist()
        return None if block < 0 else self.blocks[block].read(file, start, stop)

    def size(self, row: int) -> int:
        """The bytes of a cell; 0 where it is null or was not located."""
        _, start, stop = self.spans[row].tolist() if row < len(self.spans) else (0, 0, 0)
        return stop - start

    @property
    def nbytes(self) -> int:
        """Memory, about."""
        return self.spans.nbytes + 64 * sum(len(block.raw) for block in self.blocks)


NONE_LOCATED = Cells((), np.zeros((0, 3), np.int64))


def locate_cells(file: int, schema: pq.ParquetSchema, group: Group, path: str) -> Cells:
    """The cells of the leaf column ``path`` (``image.bytes``) in a row group; reads the chunk once.

    Raises:
        UnknownEncodingError: of another encoding, or damaged.
    """
    leaf = next((i for i, chunk in enumerate(group.chunks) if chunk.path == path), len(schema))
    if leaf >= len(schema) or schema.column(leaf).path != path:
        raise UnknownEncodingError(f"no column {path}")
    column, chunk = schema.column(leaf), group.chunks[leaf]
    _check_rows(group.num_rows)
    if column.max_repetition_level or chunk.kind != BYTE_ARRAY or chunk.codec not in (SNAPPY, UNCOMPRESSED):
        raise UnknownEncodingError(f"{path}: type {chunk.kind} in codec {chunk.codec}")
    blocks, dictionary, spans = list[Block](), np.zeros((0, 3), np.int64), [np.zeros((0, 3), np.int64)]
    try:
        for page in _pages(file, chunk, group.num_rows):
            body = _body(file, page, column.max_definition_level, chunk.codec == SNAPPY)
            found = _values(file, body, page, len(blocks), dictionary)
            blocks.append(body.block)
            if page.kind == DICTIONARY:
                dictionary = found
            else:
                cells = np.full((page.num_values, 3), -1)
                cells[body.present] = found
                spans.append(cells)
    except IndexError as error:
        raise UnknownEncodingError(f"{path}: {error}") from error
    cells = np.concatenate(spans)
    if len(cells) != group.num_rows:
        raise UnknownEncodingError(f"{len(cells)} cells in {group.num_rows} rows")
    return Cells(tuple(blocks), cells)


def check_pages(file: int, group: Group, names: Sequence[str]) -> tuple[int, int]:
    """Check that no page of these columns (nested ones included) claims more than it can hold.

    Returns:
        the bytes that the columns take in the file, and those of the largest page of which several rows may be made.

    Raises:
        UnknownEncodingError: a page does.
    """
    stored, largest = 0, 1
    _check_rows(group.num_rows)
    for chunk in group.chunks:
        if any(chunk.path == name or chunk.path.startswith(f"{name}.") for name in names):
            if chunk.num_values > max(MAX_GROUP_ROWS, _MAX_VALUES_PER_BYTE * chunk.stored_size):
                raise UnknownEncodingError(f"{chunk.num_values:,} values in {chunk.stored_size:,} bytes")
            for page in _pages(file, chunk, chunk.num_values):
                if page.kind == DICTIONARY or page.encoding == _SHARED_PREFIXES:
                    largest = max(largest, page.raw_size)
            stored += chunk.stored_size
    return stored, largest


def _check_rows(count: int) -> None:
    if not 0 <= count <= MAX_GROUP_ROWS:
        raise UnknownEncodingError(f"{count} rows in a group, at most {MAX_GROUP_ROWS}")


@dataclass(frozen=True, slots=True)
class _Body:
    """A page's block, which of its cells are not null, and where in the block their values start."""

    block: Block
    present: Bool[np.ndarray, " num_cells"]
    start: int


def _pages(file: int, chunk: Chunk, num_values: int) -> Iterator[Page]:
    """The pages of a chunk, their starts counted from the start of the file; all of their sizes can be true."""
    place = chunk.start
    end = place + chunk.stored_size
    if not 0 <= place <= end <= os.fstat(file).st_size:
        raise UnknownEncodingError(f"a chunk from byte {place} to {end}")
    while place < end:
        page = _page(file, place)
        place = page.start + page.stored_size
        if place > end or page.num_values > (page.raw_size if page.kind == DICTIONARY else num_values):
            raise UnknownEncodingError(f"a page of {page.num_values} values ends at {place}, its chunk at {end}")
        num_values -= 0 if page.kind == DICTIONARY else page.num_values
        _check_sizes(page, chunk.codec)
        yield page


def _page(file: int, place: int) -> Page:
    try:
        page = parse_page(os.pread(file, _HEADER_BYTES, place))
    except UnknownEncodingError:
        # Some writers put whole values into a page's statistics.
        page = parse_page(os.pread(file, _LONG_HEADER_BYTES, place))
    return replace(page, start=place + page.start)


def _check_sizes(page: Page, codec: int) -> None:
    stored, raw = page.stored_size - page.levels_size, page.raw_size - page.levels_size
    most = max(_MAX_SMALL_BYTES, _MAX_RATIO * stored) if page.compressed and codec != UNCOMPRESSED else stored
    if min(stored, raw) < 0 or raw > most:
        raise UnknownEncodingError(f"a page of {page.stored_size:,} bytes claims to hold {page.raw_size:,}")


def _body(file: int, page: Page, level: int, snappy: bool) -> _Body:
    if page.of_lists:
        raise UnknownEncodingError("lists")
    start, stored, raw = (
        page.start + page.levels_size,
        page.stored_size - page.levels_size,
        page.raw_size - page.levels_size,
    )
    block = snappy_block(file, start, stored, raw) if snappy and page.compressed and raw else plain_block(start, raw)
    everything = np.ones(page.num_values, bool)
    if page.kind == DICTIONARY or not level:
        return _Body(block, everything, 0)
    if page.kind == DATA_V2:
        levels, values = read_exactly(file, page.start, page.levels_size), 0
    else:
        values = _LENGTH.size + _LENGTH.unpack(block.read(file, 0, _LENGTH.size))[0]
        levels = block.read(file, _LENGTH.size, values)
    return _Body(block, parse_levels(levels, level.bit_length(), page.num_values) == level, values)


def _values(file: int, body: _Body, page: Page, number: int, dictionary: Spans) -> Spans:
    """The spans of a page's values that are not null; ``number`` is its block's."""
    count = int(body.present.sum())
    if page.encoding in INDICES and page.kind != DICTIONARY:
        indices = body.block.read(file, body.start, body.block.raw[-1])
        return dictionary[parse_levels(indices[1:], indices[0], count)] if count else dictionary[:0]
    if page.encoding != PLAIN and page.kind != DICTIONARY:
        raise UnknownEncodingError(f"encoding {page.encoding}")
    return _plain(file, body.block, body.start, count, number)


def _plain(file: int, block: Block, start: int, count: int, number: int) -> Spans:
    """The spans of values of which each follows its length."""
    found, place, window, seen = list[tuple[int, int, int]](), start, b"", start
    for _ in range(count):
        if place + _LENGTH.size > seen + len(window):
            window, seen = block.read_span(file, place, _LENGTH.size), place
        stop = place + _LENGTH.size + _LENGTH.unpack_from(window, place - seen)[0]
        found.append((number, place + _LENGTH.size, stop))
        place = stop
    if place > block.raw[-1]:
        raise UnknownEncodingError(f"values end at byte {place} of {block.raw[-1]}")
    return np.array(found, np.int64).reshape(-1, 3)
