"""What the first bytes of a JPEG or PNG say of the picture, read without decoding it: size, depth, EXIF turn.

Only these two formats are read by hand; every other one is left to Pillow in ``images``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from cologen.datagen.records import Reason, RejectedError

_JPEG_SIGNATURE = b"\xff\xd8\xff"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_END = b"\xff\xd9"
_PNG_END = b"IEND\xaeB`\x82"
# Baseline, extended and progressive Huffman frames: what libjpeg decodes to 8 bits.
_DECODABLE_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
# Frames share 0xC0-0xCF with three markers of other meaning: Huffman tables, a reserved one, arithmetic conditioning.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_SCAN, _END_OF_IMAGE, _APP1 = 0xDA, 0xD9, 0xE1
_ORIENTATION_TAG = 0x0112


class IncompleteError(Exception):
    """The header goes on beyond the bytes given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Sides are pixels as stored; ``orientation`` is EXIF's 1 to 8 and ``pixels_at`` a byte before the first pixel."""

    format: Literal["jpeg", "png"]
    width: int
    height: int
    orientation: int
    pixels_at: int

    def ends(self, tail: bytes) -> bool:
        """Whether a file whose last bytes are ``tail`` has its end marker; zero padding may follow it."""
        if self.format == "jpeg":
            return tail.endswith(_JPEG_END) or tail.rstrip(b"\0").endswith(_JPEG_END)
        return _PNG_END in tail

    def ends_somewhere(self, data: bytes) -> bool:
        """Whether the end marker stands anywhere after the header: cameras append data of their own behind it."""
        return data.find(_JPEG_END if self.format == "jpeg" else _PNG_END, self.pixels_at) >= 0


def is_jpeg(data: bytes) -> bool:
    """By signature."""
    return data.startswith(_JPEG_SIGNATURE)


def is_png(data: bytes) -> bool:
    """By signature."""
    return data.startswith(_PNG_SIGNATURE)


def parse(data: bytes) -> Header | None:
    """The header of a JPEG or PNG that starts with ``data``; None for any other format.

    Raises:
        IncompleteError: more bytes are needed.
        RejectedError: not decodable to 8-bit grey or RGB, or no picture behind the signature.
    """
    try:
        if is_jpeg(data):
            return _parse_jpeg(data)
        if is_png(data):
            return _parse_png(data)
    except (IndexError, struct.error):
        raise IncompleteError from None
    return None


def _parse_jpeg(data: bytes) -> Header:
    position, orientation = 2, 1
    while True:
        if data[position] != 0xFF:
            raise RejectedError(Reason.NOT_AN_IMAGE, f"JPEG without a marker at byte {position}")
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in _STANDALONE_MARKERS:
            position += 2
        elif marker in (_START_OF_SCAN, _END_OF_IMAGE):
            raise RejectedError(Reason.NOT_AN_IMAGE, "JPEG without a frame header")
        else:
            end = position + 2 + (data[position + 2] << 8 | data[position + 3])
            if marker in _FRAMES:
                return _parse_frame(data, position, marker, orientation)
            if marker == _APP1:
                orientation = _parse_app1(data, position + 4, end) or orientation
            position = end


def _parse_frame(data: bytes, position: int, marker: int, orientation: int) -> Header:
    bits, height, width, components = struct.unpack_from(">BHHB", data, position + 4)
    if marker not in _DECODABLE_FRAMES or bits != 8 or components not in (1, 3):
        detail = f"JPEG frame 0x{marker:02X} of {components} components with {bits} bits"
        raise RejectedError(Reason.UNSUPPORTED_MODE, detail)
    return Header(format="jpeg", width=width, height=height, orientation=orientation, pixels_at=position)


def _parse_app1(data: bytes, start: int, end: int) -> int | None:
    if end > len(data):
        raise IncompleteError
    return _parse_orientation(data[start + 6 : end]) if data.startswith(b"Exif\0\0", start) else None


def _parse_png(data: bytes) -> Header:
    width, height, bits = struct.unpack_from(">IIB", data, 16)
    if bits > 8:
        raise RejectedError(Reason.UNSUPPORTED_MODE, f"PNG of {bits} bits")
    position, orientation = 8, 1
    while True:
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IDAT":
            return Header(format="png", width=width, height=height, orientation=orientation, pixels_at=position)
        if kind == b"eXIf":
            orientation = _parse_orientation(data[position + 8 : position + 8 + length])
        position += 12 + length


def _parse_orientation(tiff: bytes) -> int:
    """EXIF's orientation tag, 1 to 8; 1 where the block has none or is broken, as viewers take it."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (num_entries,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(num_entries):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, directory + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
