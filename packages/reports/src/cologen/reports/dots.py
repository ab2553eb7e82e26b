"""Dot plots as SVG files: each row's values as dots on one axis, and their mean as a bar across."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

_LEFT, _RIGHT, _TOP, _ROW, _FOOT, _WIDTH = 150.0, 24.0, 30.0, 26.0, 26.0, 460.0
_COLOR, _INK, _GRID = "#4269d0", "#57606a", "#d0d7de"
_NUM_TICKS = 5


def dots(title: str, rows: Mapping[str, Sequence[float]], *, low: float, high: float) -> str:
    """A whole SVG document; values outside ``low`` to ``high`` are drawn at the axis' end.

    Args:
        rows: each row's values, of which there may be none.

    Raises:
        ValueError: ``high`` is not above ``low``.
    """
    if not high > low:
        raise ValueError(f"an axis goes from low to high, got {low:g} to {high:g}")

    def x(value: float) -> float:
        share = min(1.0, max(0.0, (value - low) / (high - low)))
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    height = _TOP + _ROW * len(rows) + _FOOT
    parts = [_text(_WIDTH / 2, 16.0, title, "middle", bold=True)]
    for number in range(_NUM_TICKS):
        value = low + (high - low) * number / (_NUM_TICKS - 1)
        parts.append(_line(x(value), x(value), _TOP - 4, height - _FOOT + 4, _GRID, 1.0))
        parts.append(_text(x(value), height - 8, f"{value:.3g}", "middle"))
    for number, (name, values) in enumerate(rows.items()):
        y = _TOP + (number + 0.5) * _ROW
        parts.append(_text(_LEFT - 10, y + 4, name, "end"))
        if values:
            mean = x(sum(values) / len(values))
            parts.append(_line(mean, mean, y - 9, y + 9, _COLOR, 3.0))
        parts += [
            f'<circle cx="{x(value):.1f}" cy="{y:.1f}" r="4" fill="{_COLOR}" fill-opacity="0.45"/>' for value in values
        ]
    size = f'viewBox="0 0 {_WIDTH:g} {height:g}" width="{_WIDTH:g}" height="{height:g}"'
    ground = f'<rect width="{_WIDTH:g}" height="{height:g}" fill="#ffffff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{ground}{"".join(parts)}</svg>\n'


def _line(x1: float, x2: float, y1: float, y2: float, color: str, width: float) -> str:
    return f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-width="{width:g}"/>'


def _text(x: float, y: float, words: str, anchor: str, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_INK}" font-size="12" '
        f'font-family="system-ui,sans-serif"{weight}>{html.escape(words)}</text>'
    )
