"""Zeros in the middle of a JPEG: a hole in the file, or the code of a flat picture.

A part of a file that was never written reads as zeros. Zeros are valid entropy-coded data, so the decoder continues,
and each block behind the hole may be wrong. The file's Huffman tables say what zeros stand for: mostly each is a
coefficient of -1, and no encoder writes a long run of those. Where they stand for flat blocks, a trial with the decoder
shows whether the data ends at exactly the byte where the picture ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cologen.datagen.images.jpeg_scans import Scan, walk

# 192 bits: more than a whole block of coefficients of -1 in the tables of the standard (191 bits).
_SHORTEST_HOLE = bytes(24)
_ZEROS = re.compile(rb"\0{24,}")
# A scan that refines may hold at most 1000 bits of corrections in one place, and all of them may be zeros.
_MOST_CORRECTIONS = 128
_ANY_MARKER = re.compile(rb"\xff[^\x00\xff]")
_STUFFED = b"\xff\0"
_MOST_PADDING = 4
# Each check decodes the file once more.
_MOST_CHECKS = 16


def find_hole(data: bytes, starves: Callable[[bytes], bool]) -> range | None:
    """The bytes of ``data`` that are zeros which no encoder wrote, or None; those before a marker are padding.

    ``starves`` says whether the decoder runs out of data before a file's picture ends.
    """
    if _SHORTEST_HOLE not in data:
        return None
    checks = dict[int, range]()
    for scan in walk(data)[0]:
        for found in _ZEROS.finditer(data, scan.start, scan.end):
            run, marker = range(*found.span()), _next_marker(data, found.end())
            if run.stop == marker:
                continue
            if not _may_hold(scan, len(run)):
                return run
            checks.setdefault(marker, run)
    for marker, run in list(checks.items())[:_MOST_CHECKS]:
        if not starves(data[: _last_byte(data, marker)] + data[marker:]):
            return run
    return None


def _may_hold(scan: Scan, num_zeros: int) -> bool:
    """Whether so many bytes of zeros may be anything but a row of coefficients that no encoder writes."""
    limit = _MOST_CORRECTIONS if scan.refines else 0
    return num_zeros < limit or not any(_zeros_are_coefficients(scan, symbols) for symbols in scan.ac_symbols)


def _zeros_are_coefficients(scan: Scan, symbols: bytes) -> bool:
    """A symbol is a number of zero coefficients (its upper four bits), and the size of the one behind them."""
    num_zeros, size = symbols[0] >> 4, symbols[0] & 15
    if size or num_zeros == 15:
        return True
    # An encoder that joins empty blocks never writes two of them one by one.
    joins = any(symbol & 15 == 0 and 0 < symbol >> 4 < 15 for symbol in symbols)
    return scan.progressive and joins


def _last_byte(data: bytes, marker: int) -> int:
    """Where the last byte of code before ``marker`` begins: behind it may be fill, and a few zeros too many."""
    end = marker
    while marker - end < _MOST_PADDING and data[end - 1] == 0xFF:
        end -= 1
    while marker - end < _MOST_PADDING and data[end - 1] == 0 and data[end - 2] != 0xFF:
        end -= 1
    return end - (2 if data[end - 2 : end] == _STUFFED else 1)


def _next_marker(data: bytes, position: int) -> int:
    found = _ANY_MARKER.search(data, position)
    return len(data) if found is None else found.start()
