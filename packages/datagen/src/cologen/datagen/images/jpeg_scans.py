"""The scans of a JPEG, read from its markers: which coefficients each brings, with which Huffman tables, from where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_TABLES, _START_OF_SCAN, _END_OF_IMAGE, _PROGRESSIVE = 0xC4, 0xDA, 0xD9, 0xC2
_FIRST_SEGMENT = 2  # bytes: the signature
# Inside a scan 0xFF is followed by zero, or by one of the eight restart markers.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Its data is at ``start`` to ``end``; it brings coefficients ``first`` to ``last`` of ``components``.

    ``low_bit`` is the bit it goes down to, and ``refines`` says that an earlier scan brought those above.
    ``ac_symbols`` has, for each AC table in use, the symbols by length of code: the code of the first is all zeros.
    """

    start: int
    end: int
    components: bytes
    progressive: bool
    first: int = 0
    last: int = 63
    low_bit: int = 0
    refines: bool = False
    ac_symbols: tuple[bytes, ...] = ()


def walk(data: bytes) -> tuple[list[Scan], int]:
    """The scans of a file, and where its end marker is."""
    scans, tables, progressive = list[Scan](), dict[int, bytes](), False
    position = _FIRST_SEGMENT
    while (found := _MARKER.search(data, position)) is not None:
        marker, position = data[found.start() + 1], found.end()
        if marker == _END_OF_IMAGE:
            return scans, found.start()
        length = max(2, int.from_bytes(data[position : position + 2], "big"))
        segment = data[position + 2 : position + length]
        position += length
        if marker == _PROGRESSIVE:
            progressive = True
        elif marker == _TABLES:
            tables.update(_read_tables(segment))
        elif marker == _START_OF_SCAN:
            behind = _MARKER.search(data, position)
            end = len(data) if behind is None else behind.start()
            scans.append(_read_scan(segment, tables, progressive, (position, end)))
    return scans, len(data)


def _read_tables(segment: bytes) -> Iterator[tuple[int, bytes]]:
    """Each table's class and number, and its symbols."""
    while len(segment) > 17:
        end = 17 + sum(segment[1:17])
        if segment[17:end]:
            yield segment[0], segment[17:end]
        segment = segment[end:]


def _read_scan(segment: bytes, tables: dict[int, bytes], progressive: bool, place: tuple[int, int]) -> Scan:
    num_components = segment[0] if segment else 0
    components, selectors = segment[1 : 1 + 2 * num_components : 2], segment[2 : 2 + 2 * num_components : 2]
    used = (tables.get(0x10 | selector & 15) for selector in sorted(set(selectors)))
    scan = Scan(start=place[0], end=place[1], components=components, progressive=progressive)
    spectrum = segment[1 + 2 * num_components :]
    if not progressive or len(spectrum) < 3:
        return replace(scan, ac_symbols=tuple(filter(None, used)))
    first, last, bits = spectrum[:3]
    ac_symbols = tuple(filter(None, used)) if first else ()
    return replace(scan, first=first, last=last, low_bit=bits & 15, refines=bits >> 4 > 0, ac_symbols=ac_symbols)
