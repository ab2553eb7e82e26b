"""The compressed blocks of a TIFF, strips or tiles, checked before libtiff sees them.

Pillow does not report all damage that libtiff finds: it keeps the first half of a block that breaks off, and fills
the rest with nothing or with the block before.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from PIL.TiffImagePlugin import TiffImageFile

from cologen.datagen.records import Reason, RejectedError

_WIDTH, _HEIGHT, _BITS, _COMPRESSION = 256, 257, 258, 259
_COLORS, _FILL_ORDER = 262, 266
_STRIP_OFFSETS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_BYTES, _PLANES = 273, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
_JPEG = frozenset({6, 7})
_ZIP = frozenset({8, 32946})
_PACK_BITS = 32773
_SEPARATE_PLANES = 2
_LOW_BIT_FIRST = 2
_YCBCR = 6  # its chroma may be halved, so that a block's size says nothing
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def check_tiles(image: TiffImageFile, most_pixels: int) -> None:
    """Refuse tiles that are larger than ``most_pixels``: they are decoded whole, however small the picture is.

    Raises:
        RejectedError: they are, or have no size.
    """
    sides = [image.tag_v2.get(tag, 0) for tag in (_TILE_WIDTH, _TILE_HEIGHT)]
    if not all(isinstance(side, int) for side in sides):
        raise RejectedError(Reason.NOT_AN_IMAGE, f"TIFF tiles of {sides}")
    if sides[0] * sides[1] > most_pixels:
        raise RejectedError(Reason.TOO_LARGE, f"TIFF tiles of {sides[0]}x{sides[1]}, at most {most_pixels} pixels")


def check_pixels(data: bytes, image: TiffImageFile) -> None:
    """Check what can be checked of the blocks; LZW has no checksum, but Pillow reports damage in it.

    Raises:
        RejectedError: a block is damaged, or compressed as JPEG, in which damage is not reported.
    """
    compression = image.tag_v2.get(_COMPRESSION)
    if compression in _JPEG:
        raise RejectedError(Reason.UNSUPPORTED_MODE, "TIFF compressed as JPEG: damage in it would go unnoticed")
    if image.tag_v2.get(_COLORS) == _YCBCR:
        return
    if compression in _ZIP:
        _check_blocks(data, image, _is_whole_zip)
    elif compression == _PACK_BITS:
        _check_blocks(data, image, _is_whole_pack_bits)


def _check_blocks(data: bytes, image: TiffImageFile, is_whole: Callable[[bytes, int], bool]) -> None:
    try:
        places, sizes = _places(image), _sizes(image)
        blocks = (data[start : start + length] for start, length in places)
        if image.tag_v2.get(_FILL_ORDER) == _LOW_BIT_FIRST:
            blocks = (block.translate(_REVERSED) for block in blocks)
        whole = all(is_whole(block, sizes(index)) for index, block in enumerate(blocks))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise RejectedError(Reason.NOT_AN_IMAGE, f"TIFF: its tags give no blocks ({error})") from None
    if not whole:
        raise RejectedError(Reason.TRUNCATED_IMAGE, "TIFF: a block of its pixels is damaged")


def _places(image: TiffImageFile) -> list[tuple[int, int]]:
    """Offset and length of each block in the file, in bytes."""
    tags = image.tag_v2
    tiled = _TILE_OFFSETS in tags
    offsets, lengths = tags[_TILE_OFFSETS if tiled else _STRIP_OFFSETS], tags[_TILE_BYTES if tiled else _STRIP_BYTES]
    return [(int(start), int(length)) for start, length in zip(offsets, lengths, strict=True)]


def _sizes(image: TiffImageFile) -> Callable[[int], int]:
    """The number of bytes that a block, by its index, has when it is decompressed."""
    tags = image.tag_v2
    separate = tags.get(_PLANES) == _SEPARATE_PLANES
    bits = max(tags.get(_BITS, (1,))) * (1 if separate else tags.get(_SAMPLES, 1))
    if _TILE_OFFSETS in tags:
        tile = tags[_TILE_HEIGHT] * -(-tags[_TILE_WIDTH] * bits // 8)
        return lambda index: tile
    row, height = -(-tags[_WIDTH] * bits // 8), tags[_HEIGHT]
    rows = min(height, tags.get(_ROWS_PER_STRIP, height))
    strips = -(-height // rows)
    return lambda index: row * min(rows, height - index % strips * rows)


def _is_whole_zip(block: bytes, size: int) -> bool:
    """By its checksum; no more than ``size`` bytes are decompressed."""
    stream = zlib.decompressobj()
    try:
        num_bytes = len(stream.decompress(block, size))
        stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error:
        return False
    return stream.eof and num_bytes == size


def _is_whole_pack_bits(block: bytes, size: int) -> bool:
    """By its length: each packet is a count, then so many bytes, or one byte to be repeated."""
    position = num_bytes = 0
    while position < len(block) and num_bytes < size:
        count = block[position]
        if count < 128:
            position, num_bytes = position + count + 2, num_bytes + count + 1
        elif count == 128:
            position += 1
        else:
            position, num_bytes = position + 2, num_bytes + 257 - count
    return num_bytes == size and len(block) - 1 <= position <= len(block)
