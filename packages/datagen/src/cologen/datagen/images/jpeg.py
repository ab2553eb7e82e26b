"""JPEG to pixels, such that data lost in the middle of a file is noticed.

libjpeg fills what is missing with grey and only warns; OpenCV and Pillow drop the warning. TurboJPEG reports it.
"""

from __future__ import annotations

import io
import re

import cv2
import numpy as np
import PIL.Image
import simplejpeg

from cologen.datagen.images.headers import Header
from cologen.datagen.images.jpeg_holes import find_hole
from cologen.datagen.images.jpeg_scans import Scan, walk
from cologen.datagen.records import Reason, RejectedError
from cologen.pictures.rgb import DAMAGED, Rgb, rgb

_PROGRESSIVE = 0xC2
# Each scan goes through all blocks, whatever its length: a small file of many scans would take hours. Encoders write
# some ten; libjpeg-turbo's documentation names this limit.
_MOST_SCANS = 500
_LEFT_OVER = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
# Warnings about metadata, and chroma sampling that TurboJPEG does not know: nothing is said about the pixels.
_UNJUDGED = re.compile(
    "JFIF revision|Adobe color transform|bad ICC marker|Invalid SOS parameters for sequential"
    "|Could not determine subsampling"
)
# The decoder reads ahead by so many bytes at most, and says nothing of those.
_READ_AHEAD = 8
_MOST_READ_AHEADS = 4
_MOST_STRAY_BYTES = 4
_OTHER_DATA = bytes(range(1, 65))


def decode(data: bytes, header: Header, reduction: int = 1) -> Rgb:
    """The picture as stored, in RGB, at ``1 / reduction`` (1, 2, 4 or 8) of its sides, rounded up.

    The numbers are those of OpenCV and Pillow.

    Raises:
        RejectedError: data is missing, or damaged such that the decoder notices.
    """
    if header.frame == _PROGRESSIVE or data[header.pixels_at + 4] < header.components:
        _check_scans(walk(data)[0], header)
    hole = find_hole(data, lambda shorter: _starves(shorter, header))
    if hole is not None:
        detail = f"JPEG: the {len(hole)} bytes from {hole.start} on are zeros and no part of the picture"
        raise RejectedError(Reason.TRUNCATED_IMAGE, detail)
    try:
        return _decode(data, header, reduction)
    except ValueError as error:
        message = str(error)
    if _UNJUDGED.search(message):
        return _decode_by_trial(data, header, reduction)
    # The decoder reads ahead, so that what it says is left over may be less than there is.
    for _ in range(_MOST_READ_AHEADS):
        left_over = _LEFT_OVER.search(message)
        if left_over is None:
            break
        try:
            data = _without_padding(data, int(left_over[1]))
            return _decode(data, header, reduction)
        except ValueError as error:
            message = str(error)
    raise RejectedError(Reason.TRUNCATED_IMAGE, f"JPEG: {message}")


def _decode(data: bytes, header: Header, reduction: int) -> Rgb:
    height, width = -(-header.height // reduction), -(-header.width // reduction)
    if header.components == 4:
        # Adobe stores CMYK inverted, and all readers take every such JPEG for Adobe's.
        inverted = simplejpeg.decode_jpeg(data, "CMYK", min_height=height, min_width=width)
        return rgb(PIL.Image.fromarray(np.uint8(255) - inverted, "CMYK"))
    return simplejpeg.decode_jpeg(data, "RGB", min_height=height, min_width=width)


def _starves(data: bytes, header: Header) -> bool:
    """Whether the decoder runs out of data; True also where it cannot judge."""
    try:
        simplejpeg.decode_jpeg(data, "CMYK" if header.components == 4 else "GRAY", min_height=1, min_width=1)
    except ValueError as error:
        return "premature end" in str(error) or _UNJUDGED.search(str(error)) is not None
    return False


def _without_padding(data: bytes, count: int) -> bytes:
    """The file without ``count`` bytes at the end of its last scan, if these are padding: a few, or a run of one value.

    Raises:
        ValueError: they are something else.
    """
    end = walk(data)[1]
    run = end - len(data[:end].rstrip(data[end - 1 : end]))
    # Zeros in a gap decode as blocks: then the run is longer than what is left over.
    if count > _MOST_STRAY_BYTES and not count <= run <= count + _READ_AHEAD:
        raise ValueError(f"{count} bytes are left over at the end")
    return data[: end - count] + data[end:]


def _decode_by_trial(data: bytes, header: Header, reduction: int) -> Rgb:
    """By Pillow, which says nothing of lost data: whether all data is used is found by changing it.

    Other data behind the last byte must not change the picture; in the place of the last bytes it must, but for the
    last scan of a progressive file, which may be as good as empty.
    """
    pixels, end = _decode_pillow(data), walk(data)[1]
    start = max(header.pixels_at + 8 + 2 * header.components, end - len(_OTHER_DATA))
    more, other = (data[:place] + 2 * _OTHER_DATA + data[end:] for place in (end, start))
    starving = (_decode_pillow(more) != pixels).any()
    if starving or (header.frame != _PROGRESSIVE and (_decode_pillow(other) == pixels).all()):
        raise RejectedError(Reason.TRUNCATED_IMAGE, "JPEG: its data does not end with the picture")
    if reduction == 1:
        return pixels
    size = -(-header.width // reduction), -(-header.height // reduction)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _decode_pillow(data: bytes) -> Rgb:
    try:
        return rgb(PIL.Image.open(io.BytesIO(data), formats=("JPEG",)))
    except DAMAGED as error:
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"JPEG: {error}") from None


def _check_scans(scans: list[Scan], header: Header) -> None:
    """Refuse a file of several scans that lacks some, which its decoder takes for zeros, or that has far too many."""
    if len(scans) > _MOST_SCANS:
        raise RejectedError(Reason.UNSUPPORTED_MODE, f"JPEG of {len(scans)} scans, at most {_MOST_SCANS}")
    missing = {component: np.full(64, True) for scan in scans for component in scan.components}
    for scan in scans:
        for component in scan.components:
            missing[component][scan.first : scan.last + 1] = scan.low_bit > 0
    if len(missing) < header.components or any(each.any() for each in missing.values()):
        detail = f"JPEG: the last of its scans are missing, {len(scans)} are there"
        raise RejectedError(Reason.TRUNCATED_IMAGE, detail)
