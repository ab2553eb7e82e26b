"""Curves over training steps as inline SVG, for pages that open anywhere."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT = 440.0, 200.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 12.0, 12.0, 26.0
_MAX_POINTS = 300
_COLOR, _REFERENCE = "#4269d0", "#ff725c"

Points = Sequence[tuple[float, float]]
"""(step, value), steps rising."""


def curve(
    points: Points,
    *,
    end: int,
    low: float | None = None,
    high: float | None = None,
    reference: float | None = None,
    marked: bool = False,
) -> str:
    """Values over the steps from 0 to ``end``: pale, with their running mean in full colour where they are many.

    The axis goes from ``low`` to ``high``, or over the range of the values. ``reference`` is a dashed line at a value
    that was asked for. Long logs are drawn as means of neighbours. ``marked``: a dot at each value that is drawn.
    """
    thin = _thinned(points)
    values = [value for _, value in thin] + ([] if reference is None else [reference])
    bottom = min(values, default=0.0) if low is None else low
    top = max(values, default=1.0) if high is None else high
    ticks = _ticks(bottom, top)
    frame = _Frame(end, ticks[0], ticks[-1])
    parts = [frame.grid(ticks)]
    if reference is not None:
        parts.append(frame.line([(0.0, reference), (float(end), reference)], _REFERENCE, 'stroke-dasharray="5 4"'))
    smooth = _running_mean(thin)
    if smooth:
        parts.append(frame.line(thin, _COLOR, 'stroke-opacity="0.3"'))
    parts.append(frame.line(smooth or thin, _COLOR))
    if marked or len(thin) == 1:
        parts += [frame.dot(point, _COLOR) for point in thin]
    return _svg(parts)


def ordered_curves(lines: Mapping[str, Points], *, end: int, low: float | None = None) -> str:
    """Several values over the steps, in shades from pale (the first) to dark, with their names at the top.

    The lines are running means where there are many points; the axis is as in ``curve``.
    """
    thin = {name: _thinned(points) for name, points in lines.items()}
    drawn = {name: _running_mean(points) or points for name, points in thin.items()}
    values = [value for points in drawn.values() for _, value in points]
    ticks = _ticks(min(values, default=0.0) if low is None else low, max(values, default=1.0))
    frame = _Frame(end, ticks[0], ticks[-1])
    parts = [frame.grid(ticks)]
    for number, (name, points) in enumerate(drawn.items()):
        color = f"hsl(226 62% {82 - 52 * number / max(1, len(drawn) - 1):.0f}%)"
        left = _LEFT + number * (_WIDTH - _LEFT - _RIGHT) / len(drawn)
        parts.append(f'<rect x="{left:.1f}" y="1" width="9" height="9" rx="2" fill="{color}"/>')
        parts.append(_text(left + 13, 9.5, name, "start"))
        parts.append(frame.line(points, color))
        parts += [frame.dot(point, color) for point in points] if len(points) == 1 else []
    return _svg(parts)


def _svg(parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" width="{_WIDTH:g}" height="{_HEIGHT:g}"'
    return f'<svg {size} style="max-width:100%;height:auto">{"".join(parts)}</svg>'


class _Frame:
    """The position of values in the picture."""

    def __init__(self, end: int, low: float, high: float) -> None:
        self._end, self._low, self._high = max(1, end), low, high

    def place(self, step: float, value: float) -> tuple[float, float]:
        """In pixels, those beyond the frame brought to its edge."""
        across = _LEFT + (_WIDTH - _LEFT - _RIGHT) * step / self._end
        share = min(1.0, max(0.0, (value - self._low) / (self._high - self._low)))
        return across, _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share

    def line(self, points: Points, color: str, more: str = "") -> str:
        """Through all points."""
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.place(*point) for point in points))
        return f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="1.6" {more}/>'

    def dot(self, point: tuple[float, float], color: str) -> str:
        """A value as such: a lone one makes no line."""
        x, y = self.place(*point)
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>'

    def grid(self, ticks: Sequence[float]) -> str:
        """Lines at these values, and the steps below."""
        parts: list[str] = []
        for tick in ticks:
            y = self.place(0.0, tick)[1]
            parts.append(
                f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#8884"/>'
                + _text(_LEFT - 6, y + 3.5, f"{tick:.6g}", "end")
            )
        for share in (0.0, 0.5, 1.0):
            step = round(share * self._end)
            anchor = "end" if share == 1 else "start" if share == 0 else "middle"
            parts.append(_text(self.place(float(step), self._low)[0], _HEIGHT - 8, f"{step:,}", anchor))
        return "".join(parts)


def _thinned(points: Points) -> list[tuple[float, float]]:
    """At most ``_MAX_POINTS``, each the mean of some neighbours."""
    size = math.ceil(len(points) / _MAX_POINTS) or 1
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(_mean([step for step, _ in group]), _mean([value for _, value in group])) for group in groups]


def _running_mean(points: Points) -> list[tuple[float, float]]:
    """Over a fifteenth of the points to either side, as far as there are as many on both; nothing if they are few."""
    reach = len(points) // 15
    if not reach:
        return []
    smooth: list[tuple[float, float]] = []
    for number, (step, _) in enumerate(points):
        here = min(reach, number, len(points) - 1 - number)
        smooth.append((step, _mean([value for _, value in points[number - here : number + here + 1]])))
    return smooth


def _ticks(low: float, high: float) -> list[float]:
    """Round values, at even distances, from at most ``low`` to at least ``high``."""
    span = (high - low) or max(abs(high), 1.0) * 0.1
    magnitude = 10.0 ** math.floor(math.log10(span / 3))
    distance = next(each * magnitude for each in (1, 2, 5, 10) if span / (each * magnitude) <= 5)
    first, last = math.floor(low / distance + 1e-9), math.ceil((low + span) / distance - 1e-9)
    return [number * distance for number in range(first, last + 1)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor" font-size="10.5" '
        f'font-family="system-ui,sans-serif">{html.escape(words)}</text>'
    )
