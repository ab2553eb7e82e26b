"""JPEG to pixels, such that data lost in the middle of a file is noticed.

libjpeg fills what is missing with grey and only warns; OpenCV and Pillow drop the warning. TurboJPEG reports it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import cv2
import numpy as np
import PIL.Image
import simplejpeg
from jaxtyping import UInt8

from cologen.datagen.image_headers import Header
from cologen.datagen.records import Reason, RejectedError
from cologen.pictures.rgb import Rgb, rgb

_PROGRESSIVE = 0xC2
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Inside a scan 0xFF is followed by zero, or by one of the eight restart markers.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_HARMLESS = re.compile("JFIF revision|Adobe color transform|bad ICC marker|Invalid SOS parameters for sequential")
_LEFT_OVER = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_UNUSUAL_SAMPLING = "Could not determine subsampling"
# Some cameras leave a few bytes behind the last block; a gap in the data leaves hundreds.
_MOST_STRAY_BYTES = 16


def decode(data: bytes, header: Header, reduction: int = 1) -> Rgb:
    """The picture as stored, in RGB, at ``1 / reduction`` (1, 2, 4 or 8) of its sides, rounded up.

    The numbers are those of OpenCV and Pillow. Files with one of libjpeg's harmless warnings, and those of unusual
    chroma sampling, are decoded without a check for lost data.

    Raises:
        RejectedError: data is missing or damaged so that the decoder notices.
    """
    missing = _missing_scans(data, header)
    if missing:
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"JPEG: {missing}")
    try:
        return _decode(data, header, reduction, strict=True)
    except ValueError as error:
        message = str(error)
    if _UNUSUAL_SAMPLING in message:
        return _decode_unusual(data, header, reduction)
    if _HARMLESS.search(message) or _is_padded(data, message):
        return _decode(data, header, reduction, strict=False)
    raise RejectedError(Reason.TRUNCATED_IMAGE, f"JPEG: {message}")


def _decode(data: bytes, header: Header, reduction: int, *, strict: bool) -> Rgb:
    least = {"min_height": -(-header.height // reduction), "min_width": -(-header.width // reduction)}
    if header.components == 4:
        # Adobe stores CMYK inverted, and all readers take every such JPEG for Adobe's.
        inverted = simplejpeg.decode_jpeg(data, "CMYK", **least, strict=strict)
        return rgb(PIL.Image.fromarray(np.uint8(255) - inverted, "CMYK"))
    return simplejpeg.decode_jpeg(data, "RGB", **least, strict=strict)


def _decode_unusual(data: bytes, header: Header, reduction: int) -> UInt8[np.ndarray, "_height _width 3"]:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"{len(data)} bytes of JPEG do not decode")
    size = -(-header.width // reduction), -(-header.height // reduction)
    if size != (header.width, header.height):
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return pixels.astype(np.uint8, copy=False)


def _is_padded(data: bytes, message: str) -> bool:
    """Whether the bytes left over at the end are padding: few, or a run of one value that begins with them."""
    found = _LEFT_OVER.search(message)
    if found is None:
        return False
    count, end = int(found[1]), data.rfind(b"\xff\xd9")
    if count <= _MOST_STRAY_BYTES:
        return True
    # Zeros in a gap decode as blocks: then the run is longer than what is left over.
    run = end - len(data[:end].rstrip(data[end - 1 : end]))
    return count <= run <= count + _MOST_STRAY_BYTES


def _missing_scans(data: bytes, header: Header) -> str | None:
    """What a file of several scans lacks: its decoder takes absent coefficients for zero, and does not warn."""
    if header.frame != _PROGRESSIVE and data[header.pixels_at + 4] == header.components:
        return None
    finished = dict[int, np.ndarray]()
    for components, first, last, low_bit in _scans(data, header.pixels_at):
        if header.frame != _PROGRESSIVE:
            first, last, low_bit = 0, 63, 0
        for component in components:
            bits = finished.setdefault(component, np.full(64, 255, np.uint8))
            bits[first : last + 1] = low_bit
    if len(finished) < header.components:
        return f"{len(finished)} of {header.components} colour components"
    unfinished = sum(int((bits > 0).sum()) for bits in finished.values())
    return f"the last bits of {unfinished} of {64 * header.components} coefficients are missing" if unfinished else None


def _scans(data: bytes, position: int) -> Iterator[tuple[bytes, int, int, int]]:
    """The components of each scan, its first and last coefficient and its lowest bit."""
    while (found := _MARKER.search(data, position)) is not None:
        position, marker = found.start() + 2, data[found.start() + 1]
        if marker == _END_OF_IMAGE or position + 2 > len(data):
            return
        length = data[position] << 8 | data[position + 1]
        if marker == _START_OF_SCAN:
            segment = data[position + 2 : position + length]
            if len(segment) < 4 or len(segment) < 4 + 2 * segment[0]:
                return
            first, last, bits = segment[1 + 2 * segment[0] : 4 + 2 * segment[0]]
            yield segment[1 : 1 + 2 * segment[0] : 2], first, last, bits & 15
        position += length
