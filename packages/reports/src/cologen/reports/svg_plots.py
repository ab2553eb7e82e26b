"""Plots as SVG files: values of rows as dots on one axis, and curves of values in [0, 1] over settings."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from cologen.reports.plots import COLORS

_LEFT, _RIGHT, _TOP, _ROW, _FOOT, _WIDTH = 150.0, 24.0, 30.0, 26.0, 26.0, 460.0
_COLOR, _INK, _GRID = "#4269d0", "#57606a", "#d0d7de"
_NUM_TICKS = 5
_CURVE_LEFT, _CURVE_LEGEND, _CURVE_HEIGHT, _CURVE_FOOT = 40.0, 150.0, 260.0, 30.0


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
    return _document(height, parts)


def curves(
    title: str, settings: Sequence[str], values: Mapping[str, Sequence[Sequence[float]]], *, marked: str | None = None
) -> str:
    """A whole SVG document: for each name a curve through the means at ``settings``, at even distances.

    Args:
        title: stands above.
        settings: the names along the axis, in their order.
        values: of each name and setting, in [0, 1]; a setting without any has no point.
        marked: the setting at a dashed line.

    Raises:
        ValueError: a curve has not as many entries as there are settings.
    """
    if wrong := [name for name, each in values.items() if len(each) != len(settings)]:
        raise ValueError(f"{wrong[0]} has values at {len(values[wrong[0]])} settings of {len(settings)}")
    right, floor = _WIDTH - _CURVE_LEGEND, _CURVE_HEIGHT - _CURVE_FOOT

    def x(number: int) -> float:
        return _CURVE_LEFT + (number + 0.5) * (right - _CURVE_LEFT) / len(settings)

    def y(value: float) -> float:
        return floor - min(1.0, max(0.0, value)) * (floor - _TOP)

    parts = [_text(_WIDTH / 2, 16.0, title, "middle", bold=True)]
    for number in range(_NUM_TICKS):
        height = y(number / (_NUM_TICKS - 1))
        parts.append(_line(_CURVE_LEFT, right, height, height, _GRID, 1.0))
        parts.append(_text(_CURVE_LEFT - 6, height + 4, f"{number / (_NUM_TICKS - 1):.2g}", "end"))
    for number, setting in enumerate(settings):
        parts.append(_text(x(number), _CURVE_HEIGHT - 10, setting, "middle"))
        if setting == marked:
            parts.append(_line(x(number), x(number), _TOP, floor, _INK, 1.0, "3 3"))
    for index, (name, curve) in enumerate(values.items()):
        color = COLORS[index % len(COLORS)]
        means = [(x(number), y(sum(some) / len(some))) for number, some in enumerate(curve) if some]
        places = " ".join(f"{across:.1f},{up:.1f}" for across, up in means)
        parts.append(f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{x(number):.1f}" cy="{y(value):.1f}" r="3" fill="{color}"/>'
            for number, some in enumerate(curve)
            for value in some
        ]
        parts.append(_text(right + 12, _TOP + 10 + 18 * index, name, "start", color=color))
    return _document(_CURVE_HEIGHT, parts)


def _document(height: float, parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {_WIDTH:g} {height:g}" width="{_WIDTH:g}" height="{height:g}"'
    ground = f'<rect width="{_WIDTH:g}" height="{height:g}" fill="#ffffff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{ground}{"".join(parts)}</svg>\n'


def _line(x1: float, x2: float, y1: float, y2: float, color: str, width: float, dashes: str = "none") -> str:
    return (
        f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-width="{width:g}" '
        f'stroke-dasharray="{dashes}"/>'
    )


def _text(x: float, y: float, words: str, anchor: str, *, bold: bool = False, color: str = _INK) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}" font-size="12" '
        f'font-family="system-ui,sans-serif"{weight}>{html.escape(words)}</text>'
    )
