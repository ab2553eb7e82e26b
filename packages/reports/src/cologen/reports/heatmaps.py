"""Expert usage per block as a heat map: SVG, alone or inside a page, and pixels, for trackers."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

_LEFT, _TOP, _CELL_HEIGHT, _FOOT = 84.0, 24.0, 30.0, 22.0
_SHARE = 44.0
_COLOR = "#4269d0"


def heat_map(
    usage: Float[np.ndarray, "blocks experts"], experts: Sequence[str], *, num_double: int, title: str = ""
) -> str:
    """Each block a column and each expert a row, from white (never chosen) to blue (always); shares on the right.

    Args:
        usage: the share of choices that an expert gets in a block, in [0, 1].
        experts: their names.
        num_double: how many of the blocks, the first ones, have two streams; a line stands behind them.
    """
    num_blocks, num_experts = usage.shape
    cell = max(9.0, min(56.0, 560 / num_blocks))
    width, height = _LEFT + num_blocks * cell + _SHARE, _TOP + num_experts * _CELL_HEIGHT + _FOOT
    parts = [_text(_LEFT, 14.0, title, "start", bold=True)]
    for expert in range(num_experts):
        top = _TOP + expert * _CELL_HEIGHT
        parts.append(_text(_LEFT - 8, top + _CELL_HEIGHT / 2 + 4, experts[expert], "end"))
        parts += [
            _cell(_LEFT + block * cell, top, cell, float(usage[block, expert]), f"{experts[expert]}, block {block}")
            for block in range(num_blocks)
        ]
        share = f"{100 * usage[:, expert].mean():.0f} %"
        parts.append(_text(width - 4, top + _CELL_HEIGHT / 2 + 4, share, "end"))
    parts.append(_axis(num_blocks, num_double, cell, _TOP + num_experts * _CELL_HEIGHT))
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    style = "max-width:100%;height:auto"
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{style}">{"".join(parts)}</svg>'


def heat_map_pixels(
    usage: Float[np.ndarray, "blocks experts"], experts: Sequence[str], *, num_double: int
) -> UInt8[np.ndarray, "height width 3"]:
    """The same map as RGB pixels, without a title and without words below."""
    num_blocks, num_experts = usage.shape
    side, left, font = int(_CELL_HEIGHT), int(_LEFT), ImageFont.load_default(13)
    full = np.array([int(_COLOR[place : place + 2], 16) for place in (1, 3, 5)])
    shades = np.round(255 + usage.T[..., None] * (full - 255)).astype(np.uint8)
    cells = Image.fromarray(shades).resize((num_blocks * side, num_experts * side), Image.Resampling.NEAREST)
    picture = Image.new("RGB", (left + cells.width + int(_SHARE), cells.height), "white")
    picture.paste(cells, (left, 0))
    draw = ImageDraw.Draw(picture)
    for expert in range(num_experts):
        middle = expert * side + side // 2
        draw.text((left - 8, middle), experts[expert], "black", font, anchor="rm")
        draw.text((picture.width - 4, middle), f"{100 * usage[:, expert].mean():.0f} %", "black", font, anchor="rm")
    if 0 < num_double < num_blocks:
        border = left + num_double * side
        draw.line([(border, 0), (border, picture.height)], "black")
    return np.array(picture)


def _cell(left: float, top: float, width: float, share: float, where: str) -> str:
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{_CELL_HEIGHT:g}" fill="{_COLOR}" '
        f'fill-opacity="{share:.3f}" stroke="#8886" stroke-width="0.6">'
        f"<title>{html.escape(where)}: {100 * share:.0f} %</title></rect>"
    )


def _axis(num_blocks: int, num_double: int, cell: float, floor: float) -> str:
    """What the blocks are, and where those of two streams end."""
    border = _LEFT + num_double * cell
    line = f'<line x1="{border:.1f}" x2="{border:.1f}" y1="{_TOP - 4:g}" y2="{floor + 6:.1f}" stroke="currentColor"/>'
    names = [
        (num_double, _LEFT + border, "double"),
        (num_blocks - num_double, border + _LEFT + num_blocks * cell, "single"),
    ]
    words = [_text(ends / 2, floor + 15, f"{count} {kind}-stream", "middle") for count, ends, kind in names if count]
    return "".join([line if 0 < num_double < num_blocks else "", *words])


def _text(x: float, y: float, words: str, anchor: str, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor" font-size="11.5" '
        f'font-family="system-ui,sans-serif"{weight}>{html.escape(words)}</text>'
    )
