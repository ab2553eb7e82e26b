"""Image address to bytes, bytes to pixels: the only module that does it.

Whatever is wrong with one picture is a ``RejectedError`` with its reason. What a picture's colours mean (transparency,
16 bits, CMYK, EXIF's turn) is decided in ``cologen.pictures``, for the inference pipeline too.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from jaxtyping import UInt8
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from cologen.datagen.images import addresses, archives, headers, jpeg, tiff_blocks
from cologen.datagen.images.headers import Header, IncompleteError
from cologen.datagen.images.parquet import files
from cologen.datagen.records import Reason, RejectedError
from cologen.pictures.rgb import DAMAGED, MODES, orientation, rgb

Picture = UInt8[np.ndarray, "_height _width 3"]
"""RGB in [0, 255], upright; pictures of one call may differ in size."""
LabelMap = UInt8[np.ndarray, "height width *channels"]

MIN_SIDE = 16
"""Pixels: a picture with a shorter side is refused."""
MAX_PIXELS = 89_478_485
"""Larger pictures are refused undecoded: 256 MB of RGB, where Pillow too begins to warn of decompression bombs."""

_HEAD_BYTES = 16 << 10
_TAIL_BYTES = 64
_PNG_TAIL_BYTES = 64 << 10  # a PNG may have its EXIF behind its pixels
_OTHER_FORMATS = ("WEBP", "BMP", "GIF", "TIFF")
_ORIENTATION_TAG = 0x0112


def read_bytes(root: Path, uri: str) -> bytes:
    """The encoded picture at ``uri``, whose path is relative to ``root``.

    It is a path, ``shard.tgz#member`` or ``file.parquet#row=17&column=image``, rows counted from 0 through the file.

    Raises:
        RejectedError: unsafe path, missing or empty file.
    """
    path, member = addresses.locate(root, uri)
    if member is not None:
        return _filled(_read_member(path, member), uri)
    with addresses.opened(path, uri) as file:
        return _read_all(file, uri)


def probe(root: Path, uri: str, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """The (width, height) of what ``decode`` would give, from the two ends of the file alone.

    Raises:
        RejectedError: as ``read_bytes`` and ``decode``, except for damage in the middle of the file.
    """
    path, member = addresses.locate(root, uri)
    if member is not None:
        return _settle(_examine(read_bytes(root, uri)), size)[:2]
    with addresses.opened(path, uri) as file:
        length = os.fstat(file).st_size
        addresses.refuse_oversized(length, uri)
        head = _filled(addresses.read_span(file, 0, min(length, _HEAD_BYTES)), uri)
        num_last = min(length, _PNG_TAIL_BYTES if headers.is_png(head) else _TAIL_BYTES)
        tail = addresses.read_span(file, length - num_last, num_last)
        stored = _examine_ends(head, tail) or _examine(_read_all(file, uri))
    return _settle(stored, size)[:2]


def decode(data: bytes, size: tuple[int, int] | None = None, reduction: int = 1) -> Picture:
    """The upright picture in RGB, by the rules of ``cologen.pictures.rgb``; of several pictures, the first.

    ``size`` is the (width, height) an annotation was made on. Where that is the picture as stored and not as turned
    by EXIF, the picture stays as stored, so that the annotation fits.

    ``reduction`` (1, 2, 4 or 8) divides the sides, rounded up. JPEG is decoded at that size, in less time.

    Raises:
        RejectedError: not an image, truncated, damaged in the middle, without a conversion to RGB, a side under
            ``MIN_SIDE``, more than ``MAX_PIXELS``, or of another size.
    """
    with _guarded():
        if headers.is_jpeg(data):
            header = _whole_header(data)
            *_, turn = _settle((header.width, header.height, header.orientation), size)
            return _turn(jpeg.decode(data, header, reduction), turn)
        *_, turn = _settle(_examine(data), size)
        return _reduced(_turn(_decode_other(data), turn), reduction)


def decode_map(data: bytes, size: tuple[int, int] | None = None) -> LabelMap:
    """The values of a label map as stored: palette indices stay indices, RGB keeps its three channels.

    Raises:
        RejectedError: damaged, deeper than 8 bits, or its (width, height) is not ``size``.
    """
    with _guarded():
        width, height, _ = _examine(data)
        if size is not None and (width, height) != size:
            raise RejectedError(Reason.SIZE_MISMATCH, f"label map {width}x{height}, picture {size[0]}x{size[1]}")
        image = _open_pillow(data)
        if image.mode in ("I", "F") or ";16" in str(image.tile):  # the raw mode that Pillow is about to unpack
            raise RejectedError(Reason.UNSUPPORTED_MODE, f"{image.format} of more than 8 bits, mode {image.mode}")
        turned = _load(image, data)
        return _turned_back(np.asarray(image).astype(np.uint8, copy=False), turned)


@contextmanager
def _guarded() -> Generator[None]:
    """Memory that one picture asks for and that is not there concerns this picture alone."""
    try:
        yield
    except MemoryError:
        raise RejectedError(Reason.TOO_LARGE, "there is not enough memory to decode it") from None


def _read_member(path: str, member: str) -> bytes:
    with addresses.judging(path.rpartition("/")[2]):
        if path.lower().endswith(addresses.PARQUET_SUFFIX):
            return files.read_member(path, *files.parse_cell(member))
        return archives.read_member(path, member)


def _read_all(file: int, uri: str) -> bytes:
    length = os.fstat(file).st_size
    addresses.refuse_oversized(length, uri)
    return _filled(addresses.read_span(file, 0, length), uri)


def _filled(data: bytes, uri: str) -> bytes:
    if not data:
        raise RejectedError(Reason.EMPTY_FILE, uri)
    return data


def _examine_ends(head: bytes, tail: bytes) -> tuple[int, int, int] | None:
    """Stored width, height and orientation, or None where the ends of the file do not settle it."""
    try:
        header = headers.parse(head, tail)
    except IncompleteError:
        return None
    if header is None or not header.ends(tail):
        return None
    _check_size(header.width, header.height)
    return header.width, header.height, header.orientation


def _examine(data: bytes) -> tuple[int, int, int]:
    """Stored width, height and orientation of a whole file."""
    if not (headers.is_jpeg(data) or headers.is_png(data)):
        return _examine_other(data)
    header = _whole_header(data)
    return header.width, header.height, header.orientation


def _whole_header(data: bytes) -> Header:
    """Of a whole JPEG or PNG."""
    try:
        header = headers.parse(data, data[-_PNG_TAIL_BYTES:])
    except IncompleteError:
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"breaks off in its header after {len(data)} bytes") from None
    assert header is not None, "the caller looked at the signature"
    if not (header.ends(data[-_TAIL_BYTES:]) or header.ends_somewhere(data)):
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"no end marker in {len(data)} bytes")
    _check_size(header.width, header.height)
    return header


def _examine_other(data: bytes) -> tuple[int, int, int]:
    image = _open_pillow(data)
    if image.mode not in MODES:
        raise RejectedError(Reason.UNSUPPORTED_MODE, f"{image.format} of mode {image.mode}")
    turn = orientation(image)
    width, height = image.size
    if isinstance(image, TiffImageFile) and image.tag_v2.get(_ORIENTATION_TAG) in (5, 6, 7, 8):
        width, height = height, width  # Pillow gives the size as turned, if the TIFF's own tag says so and not its XMP
    _check_size(width, height)
    return width, height, turn


def _check_size(width: int, height: int) -> None:
    if min(width, height) < MIN_SIDE:
        raise RejectedError(Reason.TOO_SMALL, f"{width}x{height}, at least {MIN_SIDE} pixels a side")
    if width * height > MAX_PIXELS:
        raise RejectedError(Reason.TOO_LARGE, f"{width}x{height}, at most {MAX_PIXELS} pixels")


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


def _decode_other(data: bytes) -> Picture:
    image = _open_pillow(data)
    turned = _load(image, data)
    try:
        return _turned_back(rgb(image), turned)
    except ValueError as error:
        raise RejectedError(Reason.UNSUPPORTED_MODE, f"{image.format} of mode {image.mode}: {error}") from None


def _load(image: ImageFile, data: bytes) -> int:
    """Decode the pixels; the turn that Pillow has given them, for it turns a TIFF by itself."""
    if isinstance(image, TiffImageFile):
        tiff_blocks.check_pixels(data, image)
    turned = orientation(image) if image.format == "TIFF" else 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
    except DAMAGED as error:
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"{image.format}: {error}") from None
    return turned


def _open_pillow(data: bytes) -> ImageFile:
    """The picture with its header read and its size checked, before there are pixels."""
    webp_size = headers.webp_size(data)
    if webp_size is not None:
        _check_size(*webp_size)  # Pillow allocates the pixels when it opens one
    if headers.is_png(data):
        headers.check_png(data)
        formats = ("PNG",)
    else:
        formats = _OTHER_FORMATS
    try:
        with warnings.catch_warnings():
            # Sizes are ours to judge, and broken metadata does not matter to the pixels.
            warnings.simplefilter("ignore")
            image = PIL.Image.open(io.BytesIO(data), formats=formats)
    except PIL.Image.DecompressionBombError as error:
        raise RejectedError(Reason.TOO_LARGE, str(error)) from None
    except DAMAGED as error:
        detail = f"{len(data)} bytes starting with {data[:8]!r}: {error}"
        raise RejectedError(Reason.NOT_AN_IMAGE, detail) from None
    if isinstance(image, TiffImageFile):
        tiff_blocks.check_tiles(image, MAX_PIXELS)
    return image


def _turned_back(pixels: LabelMap, turned: int) -> UInt8[np.ndarray, "stored_height stored_width *channels"]:
    """The pixels as stored, after a turn."""
    return _turn(pixels, {6: 8, 8: 6}.get(turned, turned))


def _turn(pixels: LabelMap, turn: int) -> UInt8[np.ndarray, "turned_height turned_width *channels"]:
    """EXIF's orientation undone: a transpose from 5 on, then the flips of 2, 3 and 4."""
    if turn >= 5:
        pixels = cv2.transpose(pixels).astype(np.uint8, copy=False)
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(turn)
    return pixels if flip is None else cv2.flip(pixels, flip).astype(np.uint8, copy=False)


def _reduced(picture: Picture, reduction: int) -> Picture:
    if reduction == 1:
        return picture
    height, width = picture.shape[:2]
    size = -(-width // reduction), -(-height // reduction)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
