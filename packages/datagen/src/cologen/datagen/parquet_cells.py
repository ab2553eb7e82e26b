"""Where each binary cell of a column chunk lies, so that one is read without the others.

Writers put a row group's pictures into one or few pages, often all into the dictionary: smaller than pages only the
parts of a block are. Columns of lists, other codecs than snappy and other encodings are refused, and left to Arrow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from struct import Struct

import numpy as np
import pyarrow.parquet as pq
from jaxtyping import Bool, Int64

from cologen.datagen.parquet_blocks import Block, plain_block, read_exactly, snappy_block
from cologen.datagen.parquet_pages import (
    DATA_V2,
    DICTIONARY,
    INDICES,
    PLAIN,
    Page,
    UnknownLayoutError,
    parse_levels,
    parse_page,
)

_HEADER_BYTES = 1 << 14
_LENGTH = Struct("<I")
_CODECS = ("SNAPPY", "UNCOMPRESSED")

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
            UnknownLayoutError: it cannot be had alone.
        """
        if row >= len(self.spans):
            raise UnknownLayoutError(f"cell {row} is not among {len(self.spans)}")
        block, start, stop = self.spans[row].tolist()
        return None if block < 0 else self.blocks[block].read(file, start, stop)

    @property
    def nbytes(self) -> int:
        """Memory, about."""
        return self.spans.nbytes + 64 * sum(len(block.raw) for block in self.blocks)


NONE_LOCATED = Cells((), np.zeros((0, 3), np.int64))


def locate_cells(file: int, footer: pq.FileMetaData, group: int, path: str) -> Cells:
    """The cells of the leaf column ``path`` (``image.bytes``) in a row group; reads the chunk once.

    Raises:
        UnknownLayoutError: of another layout, or damaged.
    """
    leaf = next((i for i in range(footer.num_columns) if footer.schema.column(i).path == path), None)
    if leaf is None:
        raise UnknownLayoutError(f"no column {path}")
    column, rows = footer.schema.column(leaf), footer.row_group(group)
    chunk = rows.column(leaf)
    if column.max_repetition_level or chunk.physical_type != "BYTE_ARRAY" or chunk.compression not in _CODECS:
        raise UnknownLayoutError(f"{path}: {chunk.physical_type} of {chunk.compression}")
    blocks, dictionary, spans = list[Block](), np.zeros((0, 3), np.int64), [np.zeros((0, 3), np.int64)]
    try:
        for page in _pages(file, chunk, rows.num_rows):
            body = _body(file, page, column.max_definition_level, chunk.compression == "SNAPPY")
            found = _values(file, body, page, len(blocks), dictionary)
            blocks.append(body.block)
            if page.kind == DICTIONARY:
                dictionary = found
            else:
                cells = np.full((page.num_values, 3), -1)
                cells[body.present] = found
                spans.append(cells)
    except IndexError as error:
        raise UnknownLayoutError(f"{path}: {error}") from error
    cells = np.concatenate(spans)
    if len(cells) != rows.num_rows:
        raise UnknownLayoutError(f"{len(cells)} cells in {rows.num_rows} rows")
    return Cells(tuple(blocks), cells)


@dataclass(frozen=True, slots=True)
class _Body:
    """A page's block, which of its cells are not null, and where in the block their values start."""

    block: Block
    present: Bool[np.ndarray, " num_cells"]
    start: int


def _pages(file: int, chunk: pq.ColumnChunkMetaData, num_rows: int) -> Iterator[Page]:
    """The pages of a chunk, their starts counted from the start of the file."""
    place = chunk.dictionary_page_offset or chunk.data_page_offset
    end = place + chunk.total_compressed_size
    if end > os.fstat(file).st_size:
        raise UnknownLayoutError(f"a chunk ends at byte {end}")
    while place < end:
        page = parse_page(os.pread(file, _HEADER_BYTES, place))
        page = replace(page, start=place + page.start)
        place = page.start + page.stored_size
        if place > end or page.num_values > max(num_rows, page.raw_size):
            raise UnknownLayoutError(f"a page of {page.num_values} values ends at {place}, its chunk at {end}")
        yield page


def _body(file: int, page: Page, level: int, snappy: bool) -> _Body:
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
        raise UnknownLayoutError(f"encoding {page.encoding}")
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
        raise UnknownLayoutError(f"values end at byte {place} of {block.raw[-1]}")
    return np.array(found, np.int64).reshape(-1, 3)
