"""Headers of JPEG, PNG and WEBP, read without decoding: size, depth, EXIF orientation, a PNG's checksums.

Every other format is left to Pillow in ``images``.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Literal

from cologen.datagen.records import Reason, RejectedError

_JPEG_SIGNATURE = b"\xff\xd8\xff"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_END = b"\xff\xd9"
_PNG_END = b"IEND\xaeB`\x82"
_PNG_REMARKS = frozenset({b"tEXt", b"zTXt", b"iTXt", b"tIME"})
# Baseline, extended and progressive Huffman frames: what libjpeg decodes to 8 bits.
_DECODABLE_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
# Frames share 0xC0-0xCF with three markers of other meaning: Huffman tables, a reserved one, arithmetic conditioning.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_SCAN, _END_OF_IMAGE, _APP1 = 0xDA, 0xD9, 0xE1
_EXIF, _JPEG_XMP, _PNG_XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"XML:com.adobe.xmp\0"
_RAW_PROFILE = b"Raw profile type exif\0"  # ImageMagick's EXIF in a text chunk: three lines, then hexadecimal digits
_MOST_PROFILE_BYTES = 1 << 20
_ORIENTATION_TAG = 0x0112
_ORIENTATION_IN_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_INTEGERS = {1: "B", 3: "H", 4: "I"}
"""EXIF's types for whole numbers, as ``struct`` has them."""


class IncompleteError(Exception):
    """The header goes on beyond the bytes given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Sides are pixels as stored, ``pixels_at`` is where the pixels begin: a JPEG's first scan, a PNG's first IDAT.

    ``orientation`` is EXIF's 1 to 8, or XMP's where there is no EXIF; ``frame`` is the marker of a JPEG's frame.
    """

    format: Literal["jpeg", "png"]
    width: int
    height: int
    orientation: int
    pixels_at: int
    components: int = 0
    frame: int = 0

    def ends(self, tail: bytes) -> bool:
        """Whether a file whose last bytes are ``tail`` has its end marker; zero padding may follow it."""
        if self.format == "jpeg":
            return tail.endswith(_JPEG_END) or tail.rstrip(b"\0").endswith(_JPEG_END)
        return _PNG_END in tail

    def ends_somewhere(self, data: bytes) -> bool:
        """Whether the end marker stands anywhere after the header: cameras append data of their own behind it."""
        return data.find(_JPEG_END if self.format == "jpeg" else _PNG_END, self.pixels_at) >= 0


@dataclass(slots=True)
class _Turn:
    """The orientation that metadata states: the first EXIF decides, and XMP where EXIF says nothing, as in Pillow."""

    exif: int | None = None
    xmp: int | None = None

    def read_exif(self, block: bytes) -> None:
        if self.exif is None:
            self.exif = _parse_orientation(block.removeprefix(_EXIF))

    def read_xmp(self, text: bytes) -> None:
        found = _ORIENTATION_IN_XMP.search(text)
        if found and self.xmp is None:
            self.xmp = int(found[1])

    @property
    def value(self) -> int:
        stated = self.xmp if self.exif is None else self.exif
        return stated if stated is not None and 1 <= stated <= 8 else 1


def is_jpeg(data: bytes) -> bool:
    """Whether the data starts with a JPEG's signature."""
    return data.startswith(_JPEG_SIGNATURE)


def is_png(data: bytes) -> bool:
    """Whether the data starts with a PNG's signature."""
    return data.startswith(_PNG_SIGNATURE)


def parse(data: bytes, tail: bytes = b"") -> Header | None:
    """The header of a JPEG or PNG that starts with ``data``; None for any other format.

    ``tail`` is the end of the file: a PNG may have its EXIF behind its pixels.

    Raises:
        IncompleteError: more bytes are needed.
        RejectedError: not decodable to 8-bit grey, RGB or CMYK, or no picture behind the signature.
    """
    try:
        if is_jpeg(data):
            return _parse_jpeg(data)
        if is_png(data):
            return _parse_png(data, tail)
    except (IndexError, struct.error):
        raise IncompleteError from None
    return None


def check_png(data: bytes) -> None:
    """Verify the checksum of each chunk of a PNG; Pillow checks those of the pixels neither by CRC nor by Adler.

    Text may be damaged: nothing is said about the pixels. (In front of them Pillow refuses it nevertheless.)

    Raises:
        RejectedError: a chunk is damaged, or the chunks do not reach the end marker.
    """
    view, position, kind = memoryview(data), len(_PNG_SIGNATURE), b""
    while kind != b"IEND":
        if position + 12 > len(data):
            raise RejectedError(Reason.TRUNCATED_IMAGE, f"PNG: breaks off after {len(data)} bytes")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        sum_ = int.from_bytes(view[end : end + 4], "big")
        if end + 4 > len(data) or (kind not in _PNG_REMARKS and zlib.crc32(view[position + 4 : end]) != sum_):
            raise RejectedError(Reason.TRUNCATED_IMAGE, f"PNG: the chunk at byte {position} is damaged")
        position = end + 4


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a WEBP, of the canvas if it is animated; None where this is none, or it is cut off."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _parse_jpeg(data: bytes) -> Header:
    position, turn, frame = 2, _Turn(), b""
    while True:
        if data[position] != 0xFF:
            raise RejectedError(Reason.NOT_AN_IMAGE, f"JPEG without a marker at byte {position}")
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in _STANDALONE_MARKERS:
            position += 2
        elif marker in (_START_OF_SCAN, _END_OF_IMAGE):
            if not frame or marker == _END_OF_IMAGE:
                raise RejectedError(Reason.NOT_AN_IMAGE, f"JPEG without a {'scan' if frame else 'frame header'}")
            return _jpeg_header(frame, turn.value, position)
        else:
            end = position + 2 + (data[position + 2] << 8 | data[position + 3])
            if marker in _FRAMES and not frame:
                frame = data[position : position + 10]
                _check_frame(frame)
            if marker == _APP1:
                _read_app1(turn, data, position + 4, end)
            position = end


def _check_frame(frame: bytes) -> None:
    bits, components = frame[4], frame[9]
    if frame[1] not in _DECODABLE_FRAMES or bits != 8 or components not in (1, 3, 4):
        detail = f"JPEG frame 0x{frame[1]:02X} of {components} components with {bits} bits"
        raise RejectedError(Reason.UNSUPPORTED_MODE, detail)


def _jpeg_header(frame: bytes, orientation: int, position: int) -> Header:
    height, width, components = struct.unpack_from(">HHB", frame, 5)
    return Header(
        format="jpeg",
        width=width,
        height=height,
        orientation=orientation,
        pixels_at=position,
        components=components,
        frame=frame[1],
    )


def _read_app1(turn: _Turn, data: bytes, start: int, end: int) -> None:
    if end > len(data):
        raise IncompleteError
    if data.startswith(_EXIF, start):
        turn.read_exif(data[start:end])
    elif data.startswith(_JPEG_XMP, start):
        turn.read_xmp(data[start:end])


def _parse_png(data: bytes, tail: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    position, turn = 8, _Turn()
    while True:
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IDAT":
            turn.read_exif(_late_exif(tail))
            return Header(format="png", width=width, height=height, orientation=turn.value, pixels_at=position)
        if kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
            if position + 8 + length > len(data):
                raise IncompleteError
            _read_png_chunk(turn, kind, data[position + 8 : position + 8 + length])
        position += 12 + length


def _read_png_chunk(turn: _Turn, kind: bytes, content: bytes) -> None:
    if kind == b"eXIf":
        turn.read_exif(content)
    elif content.startswith(_PNG_XMP):
        turn.read_xmp(content)
    elif content.startswith(_RAW_PROFILE):
        turn.read_exif(_raw_profile(content[len(_RAW_PROFILE) :], packed=kind == b"zTXt"))


def _raw_profile(text: bytes, *, packed: bool) -> bytes:
    try:
        if packed:
            text = zlib.decompressobj().decompress(text[1:], _MOST_PROFILE_BYTES)
        return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode())
    except (ValueError, zlib.error):
        return b""


def _late_exif(tail: bytes) -> bytes:
    """The content of an eXIf chunk behind the pixels; empty where there is none."""
    place = tail.rfind(b"eXIf")
    if place < 4:
        return b""
    (length,) = struct.unpack_from(">I", tail, place - 4)
    chunk, sum_ = tail[place : place + 4 + length], tail[place + 4 + length : place + 8 + length]
    return chunk[4:] if zlib.crc32(chunk).to_bytes(4, "big") == sum_ else b""


def _parse_orientation(tiff: bytes) -> int | None:
    """The orientation tag of an EXIF block; None where it has none or is broken."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return None
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (num_entries,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(num_entries):
            place = directory + 2 + 12 * entry
            tag, kind, _ = struct.unpack_from(order + "HHI", tiff, place)
            if tag == _ORIENTATION_TAG:
                return struct.unpack_from(order + _INTEGERS.get(kind, "H"), tiff, place + 8)[0]
    except struct.error:
        return None
    return None
