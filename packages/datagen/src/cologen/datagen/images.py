"""The only room that turns an ``image_uri`` into bytes and bytes into pixels.

Whatever is wrong with one picture is a ``RejectedError`` with its reason.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from jaxtyping import UInt8

from cologen.datagen import archives, image_headers, local_files, parquet_images
from cologen.datagen.image_headers import IncompleteError
from cologen.datagen.records import Reason, RejectedError

Picture = UInt8[np.ndarray, "_height _width 3"]
"""RGB in [0, 255], upright; pictures of one call may differ in size."""
LabelMap = UInt8[np.ndarray, "height width *channels"]

MIN_SIDE = 16
"""Pixels: a picture with a shorter side is refused."""
MAX_PIXELS = 89_478_485
"""Larger pictures are refused undecoded: 256 MB of RGB, where Pillow too begins to warn of decompression bombs."""

_HEAD_BYTES = 16 << 10
_TAIL_BYTES = 64
_ORIENTATION_TAG = 0x0112
_OTHER_FORMATS = ("WEBP", "BMP", "GIF", "TIFF")
_EIGHT_BIT_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"})
# Pillow raises any of these on malformed files of one format or another.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)


def read_bytes(root: Path, uri: str) -> bytes:
    """The encoded picture at ``uri``, whose path is relative to ``root``.

    It is a path, ``shard.tgz#member`` or ``file.parquet#row=17&column=image``, rows counted from 0 through the file.

    Raises:
        RejectedError: unsafe path, missing or empty file.
    """
    path, member = local_files.locate(root, uri)
    if member is not None:
        return _filled(_read_member(path, member), uri)
    with local_files.opened(path, uri) as file:
        return _filled(local_files.read_span(file, 0, os.fstat(file).st_size), uri)


def probe(root: Path, uri: str, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """The (width, height) of what ``decode`` would give, from the two ends of the file alone.

    Raises:
        RejectedError: as ``read_bytes`` and ``decode``, except for damage in the middle of the file.
    """
    path, member = local_files.locate(root, uri)
    if member is not None:
        return _settle(_examine(read_bytes(root, uri)), size)[:2]
    with local_files.opened(path, uri) as file:
        length = os.fstat(file).st_size
        head = _filled(local_files.read_span(file, 0, min(length, _HEAD_BYTES)), uri)
        tail = local_files.read_span(file, max(0, length - _TAIL_BYTES), min(length, _TAIL_BYTES))
        stored = _examine_ends(head, tail) or _examine(local_files.read_span(file, 0, length))
    return _settle(stored, size)[:2]


def decode(data: bytes, size: tuple[int, int] | None = None) -> Picture:
    """The upright picture in RGB; grey and palettes are converted, alpha is laid over white.

    ``size`` is the (width, height) an annotation was made on. Where that is the picture as stored and not as turned
    by EXIF, the picture stays as stored, so that the annotation fits.

    Raises:
        RejectedError: not an image, truncated, CMYK or deeper than 8 bits, a side under ``MIN_SIDE``, of another size.
    """
    *_, orientation = _settle(_examine(data), size)
    pixels = _decode_jpeg(data) if image_headers.is_jpeg(data) else _decode_other(data)
    return _turn(pixels, orientation)


def decode_map(data: bytes, size: tuple[int, int] | None = None) -> LabelMap:
    """The values of a label map as stored: palette indices stay indices, RGB keeps its three channels.

    Raises:
        RejectedError: damaged, deeper than 8 bits, or its (width, height) is not ``size``.
    """
    width, height, _ = _examine(data)
    if size is not None and (width, height) != size:
        raise RejectedError(Reason.SIZE_MISMATCH, f"label map {width}x{height}, picture {size[0]}x{size[1]}")
    values = np.asarray(_load(data))
    return values.astype(np.uint8, copy=False)


def _read_member(path: str, member: str) -> bytes:
    with local_files.judging(path.rpartition("/")[2]):
        if path.lower().endswith(local_files.PARQUET_SUFFIX):
            return parquet_images.read_member(path, *parquet_images.parse_cell(member))
        return archives.read_member(path, member)


def _filled(data: bytes, uri: str) -> bytes:
    if not data:
        raise RejectedError(Reason.EMPTY_FILE, uri)
    return data


def _examine_ends(head: bytes, tail: bytes) -> tuple[int, int, int] | None:
    """Stored width, height and orientation, or None where the ends of the file do not settle it."""
    try:
        header = image_headers.parse(head)
    except IncompleteError:
        return None
    if header is None or not header.ends(tail):
        return None
    _check_size(header.width, header.height)
    return header.width, header.height, header.orientation


def _examine(data: bytes) -> tuple[int, int, int]:
    """Stored width, height and orientation of a whole file."""
    try:
        header = image_headers.parse(data)
    except IncompleteError:
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"breaks off in its header after {len(data)} bytes") from None
    if header is None:
        return _examine_other(data)
    if not (header.ends(data[-_TAIL_BYTES:]) or header.ends_somewhere(data)):
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"no end marker in {len(data)} bytes")
    _check_size(header.width, header.height)
    return header.width, header.height, header.orientation


def _examine_other(data: bytes) -> tuple[int, int, int]:
    image = _open_pillow(data)
    if image.mode not in _EIGHT_BIT_MODES:
        raise RejectedError(Reason.UNSUPPORTED_MODE, f"{image.format} of mode {image.mode}")
    _check_size(*image.size)
    return (*image.size, _orientation(image))


def _orientation(image: PIL.Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION_TAG)
    except _DAMAGED:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _check_size(width: int, height: int) -> None:
    if min(width, height) < MIN_SIDE:
        raise RejectedError(Reason.TOO_SMALL, f"{width}x{height}, at least {MIN_SIDE} pixels a side")
    if width * height > MAX_PIXELS:
        raise RejectedError(Reason.UNSUPPORTED_MODE, f"{width}x{height}, at most {MAX_PIXELS} pixels")


def _settle(stored: tuple[int, int, int], size: tuple[int, int] | None) -> tuple[int, int, int]:
    """Width and height after turning, and the turn: none where the annotation's size fits the stored picture only."""
    width, height, orientation = stored
    upright = (height, width) if orientation >= 5 else (width, height)
    if size is None or size == upright:
        return (*upright, orientation)
    if size == (width, height):
        return width, height, 1
    detail = f"annotated {size[0]}x{size[1]}, picture {upright[0]}x{upright[1]}"
    raise RejectedError(Reason.SIZE_MISMATCH, detail)


def _decode_jpeg(data: bytes) -> Picture:
    # The same pixels as Pillow's, a quarter faster.
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    if pixels is None:
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"{len(data)} bytes of JPEG do not decode")
    return pixels.astype(np.uint8, copy=False)


def _decode_other(data: bytes) -> Picture:
    image = _load(data)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = PIL.Image.alpha_composite(PIL.Image.new("RGBA", layer.size, "white"), layer)
    return np.array(image.convert("RGB"))


def _load(data: bytes) -> PIL.Image.Image:
    image = _open_pillow(data)
    try:
        image.load()
    except _DAMAGED as error:
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"{image.format}: {error}") from None
    return image


def _open_pillow(data: bytes) -> PIL.Image.Image:
    try:
        if image_headers.is_png(data):
            return PIL.Image.open(io.BytesIO(data), formats=("PNG",))
        with warnings.catch_warnings():
            # Sizes are ours to judge, and broken metadata does not matter to the pixels.
            warnings.simplefilter("ignore")
            return PIL.Image.open(io.BytesIO(data), formats=_OTHER_FORMATS)
    except PIL.Image.DecompressionBombError as error:
        raise RejectedError(Reason.UNSUPPORTED_MODE, str(error)) from None
    except _DAMAGED:
        raise RejectedError(Reason.NOT_AN_IMAGE, f"{len(data)} bytes starting with {data[:8]!r}") from None


def _turn(pixels: Picture, orientation: int) -> UInt8[np.ndarray, "turned_height turned_width 3"]:
    """EXIF's orientation undone: a transpose from 5 on, then the flips of 2, 3 and 4."""
    if orientation >= 5:
        pixels = cv2.transpose(pixels).astype(np.uint8, copy=False)
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return pixels if flip is None else cv2.flip(pixels, flip).astype(np.uint8, copy=False)
