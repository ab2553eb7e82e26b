"""Samples as one picture: the tiles of each sample in a row, its words below, and the tiles' names at the top."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from cologen.reports.printable import printable

TILE = 224
"""Longest side of a picture on the sheet, in pixels."""

_GAP, _MARGIN, _HEADER, _LINE, _MAX_LINES = 8, 20, 30, 18, 3
_FEWEST_LETTERS = 8
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_INK, _GREY = (27, 31, 36), (106, 115, 125)


@dataclass(frozen=True, slots=True)
class Row:
    """A sample's pictures by name, and the paragraphs of text below them."""

    pictures: Mapping[str, UInt8[np.ndarray, "height width 3"]]
    paragraphs: tuple[str, ...]


def contact_sheet(rows: Sequence[Row], *, across: int = 2) -> Image.Image:
    """All rows, ``across`` of them side by side."""
    names = list(max((row.pictures for row in rows), key=len))
    width = len(names) * (TILE + _GAP) - _GAP
    strips = [_strip(row, width) for row in rows]
    across = min(across, len(rows))
    lines = [strips[start : start + across] for start in range(0, len(strips), across)]
    heights = [max(strip.height for strip in line) for line in lines]
    sheet = Image.new(
        "RGB", (_MARGIN + across * (width + _MARGIN), _HEADER + sum(heights) + len(lines) * _GAP), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for number in range(across * len(names)):
        column, tile = divmod(number, len(names))
        left = _MARGIN + column * (width + _MARGIN) + tile * (TILE + _GAP)
        draw.text((left, 8), names[tile], _GREY, ImageFont.load_default(14))
    top = _HEADER
    for line, height in zip(lines, heights, strict=True):
        for column, strip in enumerate(line):
            sheet.paste(strip, (_MARGIN + column * (width + _MARGIN), top))
        top += height + _GAP
    return sheet


def png(sheet: Image.Image) -> bytes:
    """The sheet as a file."""
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()


def _strip(row: Row, width: int) -> Image.Image:
    """One sample: its pictures, and each paragraph in as many lines as it needs, up to ``_MAX_LINES``."""
    font = ImageFont.load_default(13)
    words = [line for paragraph in row.paragraphs for line in _lines(printable(paragraph), font, width)]
    tiles = [_fitted(picture) for picture in row.pictures.values()]
    tall = max(tile.height for tile in tiles)
    strip = Image.new("RGB", (width, tall + 4 + _LINE * len(words) + 4), "white")
    for number, tile in enumerate(tiles):
        strip.paste(tile, (number * (TILE + _GAP), 0))
    draw = ImageDraw.Draw(strip)
    for number, line in enumerate(words):
        draw.text((0, tall + 4 + number * _LINE), line, _INK, font)
    return strip


def _lines(text: str, font: _Font, width: int) -> list[str]:
    """The text in lines of at most ``width`` pixels, filled well, and ``…`` where there is more of it."""
    num_letters = int(width / font.getlength("i"))
    while True:
        lines = wrap(text, num_letters, max_lines=_MAX_LINES, placeholder=" …")
        longest = max(map(font.getlength, lines), default=0.0)
        if longest <= width or num_letters <= _FEWEST_LETTERS:
            return lines
        num_letters = max(_FEWEST_LETTERS, min(num_letters - 1, int(num_letters * width / longest) + 4))


def _fitted(picture: UInt8[np.ndarray, "height width 3"]) -> Image.Image:
    """Small pictures grow by whole factors, their pixels kept sharp; large ones shrink."""
    height, width = picture.shape[:2]
    image, factor = Image.fromarray(picture), TILE // max(height, width)
    if factor >= 1:
        return image.resize((width * factor, height * factor), Image.Resampling.NEAREST)
    scale = TILE / max(height, width)
    return image.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.LANCZOS)
