"""Pillow images and arrays to RGB. The rules, which hold wherever a picture is read:

- It is turned as its EXIF says (or its XMP, where EXIF says nothing), as ``PIL.ImageOps.exif_transpose`` does.
- Transparency is laid over white.
- 16 bits become 8, and floats are in [0, 1] (``levels``). Pillow itself reads RGB of 16 bits by the high byte.
- CMYK is converted without a profile, and colour profiles are ignored everywhere.
- An animation, or a file of several pictures, is the frame that is open: the first one.
"""

from __future__ import annotations

import struct
import warnings
import zlib

import numpy as np
import PIL.Image
from jaxtyping import Float32, UInt8

from cologen.pictures.levels import eight_bits, unit_floats

Rgb = UInt8[np.ndarray, "_height _width 3"]
"""RGB in [0, 255]."""

DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)
"""What Pillow raises on malformed files and metadata of one format or another."""

_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}
_METADATA = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")
"""Where Pillow keeps an orientation in an image's ``info``."""
_DEEP_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
MODES = _DEEP_MODES | {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"}
"""Pillow's modes that have a conversion to RGB."""

_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}


def orientation(image: PIL.Image.Image) -> int:
    """EXIF's 1 to 8; 1 where the metadata has none or is broken, as viewers take it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = image.getexif().get(_ORIENTATION_TAG)
    except DAMAGED:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright(image: PIL.Image.Image) -> PIL.Image.Image:
    """The picture turned upright, without the orientation in its metadata; Pillow turns a TIFF itself when loading
    it."""
    image.load()
    turn = _TURNS.get(orientation(image))
    if turn is None:
        return image
    turned = image.transpose(turn)
    for name in _METADATA:  # exif_transpose writes it anew, which fails where another tag of it is broken
        turned.info.pop(name, None)
    return turned


def rgb(image: PIL.Image.Image) -> Rgb:
    """The colours as stored, not turned.

    Raises:
        ValueError: numbers that are no brightness (mode I or F), or a mode without a conversion.
    """
    if image.mode in _DEEP_MODES:
        return _grey_rgb(image)
    image = image.convert(_PREMULTIPLIED[image.mode]) if image.mode in _PREMULTIPLIED else image
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = PIL.Image.alpha_composite(PIL.Image.new("RGBA", layer.size, "white"), layer)
    return np.array(image.convert("RGB"))


def array_rgb(values: np.ndarray) -> Rgb | Float32[np.ndarray, "_height _width 3"]:
    """An array by (row, column) or (row, column, channel), of 1 to 4 channels: grey, with alpha, RGB, with alpha.

    bool, uint8 and uint16 become uint8; floats stay floats, in [0, 1].

    Raises:
        ValueError: of another shape, type or range.
    """
    values = np.asarray(values)  # a matrix cannot have three dimensions
    channels = values[..., None] if values.ndim == 2 else values
    if channels.ndim != 3 or not 1 <= channels.shape[2] <= 4 or not channels.size:
        raise ValueError(f"an image is (height, width) or (height, width, 1 to 4): got {values.shape}")
    if values.dtype.kind == "f":
        return _over_white(unit_floats(channels))
    if values.dtype.kind not in "bu" or values.dtype.itemsize > 2:
        raise ValueError(f"expected uint8, uint16, bool, or floats in [0, 1]: got {values.dtype}")
    levels = np.ascontiguousarray(eight_bits(channels))
    return rgb(PIL.Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels))


def _grey_rgb(image: PIL.Image.Image) -> Rgb:
    values = np.asarray(image)
    grey = eight_bits(values)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey = np.where(values == transparent, np.uint8(255), grey)
    return np.repeat(grey[..., None], 3, axis=2)


def _over_white(channels: Float32[np.ndarray, "height width channels"]) -> Float32[np.ndarray, "height width 3"]:
    color = channels
    if channels.shape[2] in (2, 4):
        alpha = channels[..., -1:]
        color = channels[..., :-1] * alpha + (1 - alpha)
    return np.repeat(color, 3, axis=2) if color.shape[2] == 1 else color
