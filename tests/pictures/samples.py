"""Small encoded pictures of every format and mode that is read, and of every turn."""

import io
from collections.abc import Iterator

import cv2
import numpy as np
import PIL.Image

HEIGHT, WIDTH = 32, 48
FORMATS = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}, "JPEG": {"quality": 95, "subsampling": 0}}
"""Those that can say how they are to be turned, and how to store a picture in them."""


def pattern(channels: int = 3) -> np.ndarray:
    """Smooth, so that JPEG keeps it, and without any symmetry."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    planes = [x * 4, y * 6, (x + 2 * y) * 2, 255 - x * 3]
    return np.stack(planes[:channels], axis=-1).astype(np.uint8)


def deep() -> np.ndarray:
    """Grey of 16 bits, from 0 to 65535."""
    return np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)


def encoded(image: PIL.Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def turned(orientation: int, form: str) -> bytes:
    """The pattern with an EXIF orientation."""
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    return encoded(PIL.Image.fromarray(pattern()), form, exif=exif.tobytes(), **FORMATS[form])


def opened(data: bytes) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(data))


def every_kind() -> Iterator[tuple[str, bytes]]:
    """A name, and an encoded picture."""
    colors, clear = PIL.Image.fromarray(pattern()), PIL.Image.fromarray(pattern(4))
    grey, palette = colors.convert("L"), colors.convert("P", palette=PIL.Image.Palette.ADAPTIVE, colors=16)
    clear_grey = PIL.Image.fromarray(pattern(2))
    for form, modes in {
        "PNG": (colors, clear, grey, clear_grey, palette, colors.convert("1")),
        "TIFF": (colors, clear, grey, clear_grey, palette, colors.convert("1"), colors.convert("CMYK")),
        "WEBP": (colors, clear),
        "GIF": (palette, grey),
        "BMP": (colors, clear, grey, palette, colors.convert("1")),
        "JPEG": (colors, grey, colors.convert("CMYK")),
    }.items():
        for image in modes:
            yield f"{form} {image.mode}", encoded(image, form, **FORMATS.get(form, {}))
    deep_grey, unit = PIL.Image.fromarray(deep()), PIL.Image.fromarray((deep() / 65535).astype(np.float32))
    yield "PNG I;16", encoded(deep_grey, "PNG")
    yield "PNG I;16 with a transparent level", encoded(deep_grey, "PNG", transparency=0)
    yield "TIFF I;16", encoded(deep_grey, "TIFF")
    yield "TIFF I", encoded(PIL.Image.fromarray(deep().astype(np.int32)), "TIFF")
    yield "TIFF F", encoded(unit, "TIFF")
    for channels in (3, 4):
        numbers = pattern(channels).astype(np.uint16) * 257
        yield f"PNG of {channels} x 16 bits", cv2.imencode(".png", numbers)[1].tobytes()
    yield "TIFF of 3 x 16 bits", cv2.imencode(".tiff", pattern().astype(np.uint16) * 257)[1].tobytes()
    yield "PNG with a transparent index", encoded(palette, "PNG", transparency=3)
    yield "PNG with alphas in its palette", encoded(palette, "PNG", transparency=bytes(range(0, 256, 16)))
    yield "PNG with a transparent colour", encoded(colors, "PNG", transparency=(4, 0, 2))
    yield "GIF with a transparent index", encoded(palette, "GIF", transparency=3)
    more = [PIL.Image.new("RGB", (WIDTH, HEIGHT), color) for color in ("red", "blue")]
    for form in ("PNG", "WEBP", "GIF", "TIFF", "MPO"):
        yield f"{form} of 3 pictures", encoded(colors, form, save_all=True, append_images=more, **FORMATS.get(form, {}))
    cmyk = encoded(colors.convert("CMYK"), "JPEG", quality=95)
    # The last byte of Adobe's marker says that the data is YCCK.
    end = cmyk.index(b"Adobe") + 11
    yield "JPEG YCCK", cmyk[:end] + b"\2" + cmyk[end + 1 :]
    yield "JPEG progressive", encoded(colors, "JPEG", progressive=True)
