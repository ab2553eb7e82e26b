"""Small plots as inline SVG, for pages that open anywhere: grouped bars, histograms, heat maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from markupsafe import Markup

from cologen.reports.page import joined

COLORS = ("#4269d0", "#efb118", "#3ca951", "#ff725c", "#a463f2", "#97bbf5")
_WIDTH, _HEIGHT, _MARGIN = 320.0, 170.0, 28.0


def shares(asked: Mapping[str, float], achieved: Mapping[str, int]) -> Markup:
    """Per name a pale bar for the share asked for and a full one for the share achieved, in per cent."""
    total = max(1, sum(achieved.values()))
    step = (_WIDTH - 2 * _MARGIN) / max(1, len(asked))
    bars: list[Markup] = []
    for index, (name, share) in enumerate(asked.items()):
        left, color = _MARGIN + index * step, COLORS[index % len(COLORS)]
        made = achieved.get(name, 0) / total
        bars.append(_bar(left + 0.08 * step, 0.4 * step, share, color, opacity=0.35))
        bars.append(_bar(left + 0.5 * step, 0.4 * step, made, color))
        bars.append(_text(left + step / 2, _HEIGHT - 15, name))
        bars.append(_text(left + step / 2, _HEIGHT - 3, f"{100 * share:.4g} → {100 * made:.2f} %"))
    return _svg(bars)


def histogram(
    counts: Mapping[str, Int[np.ndarray, " num_bins"]], low: float, high: float, *, marks: Mapping[str, float] = {}
) -> Markup:
    """One line per name over equal bins from ``low`` to ``high``, each scaled to its own sum.

    ``marks`` are values with a dashed upright line each.
    """
    lines = [_text(_MARGIN, _HEIGHT - 10, f"{low:g}"), _text(_WIDTH - _MARGIN, _HEIGHT - 10, f"{high:g}")]
    parts = {name: values / max(1, values.sum()) for name, values in counts.items()}
    top = max([1e-9, *(float(values.max(initial=0)) for values in parts.values())])
    for index, (name, values) in enumerate(parts.items()):
        color = COLORS[index % len(COLORS)]
        xs = np.repeat(np.linspace(_MARGIN, _WIDTH - _MARGIN, len(values) + 1), 2)[1:-1]  # a bin from edge to edge
        ys = _HEIGHT - _MARGIN - np.repeat(values, 2) / top * (_HEIGHT - 2 * _MARGIN)
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
        lines.append(_LINE.format(points=points, color=color))
        lines.append(_text(_WIDTH - _MARGIN, 14.0 + 14 * index, name, anchor="end", color=color))
    for index, (name, value) in enumerate(marks.items(), start=len(counts)):
        color, share = COLORS[index % len(COLORS)], (value - low) / max(1e-12, high - low)
        x = _MARGIN + min(1.0, max(0.0, share)) * (_WIDTH - 2 * _MARGIN)
        lines.append(_MARK.format(x=x, top=_MARGIN, floor=_HEIGHT - _MARGIN, color=color))
        lines.append(_text(x, _MARGIN - 3 - 9.5 * (index % 3), name, color=color))  # neighbours do not overlap
    return _svg(lines)


def heat_map(values: Float[np.ndarray, "rows columns"]) -> Markup:
    """A grid of cells from pale (0) to dark (the grid's maximum)."""
    rows, columns = values.shape
    cell = 150 / max(rows, columns)
    top = max(1e-9, float(values.max()))
    cells = [
        _CELL.format(x=column * cell, y=row * cell, side=cell, opacity=values[row, column] / top)
        for row in range(rows)
        for column in range(columns)
    ]
    return _GRID.format(cells=joined(cells))


def _bar(left: float, width: float, share: float, color: str, opacity: float = 1.0) -> Markup:
    height = share * (_HEIGHT - 2 * _MARGIN)
    top = _HEIGHT - _MARGIN - height
    return _BAR.format(left=left, top=top, width=width, height=height, color=color, opacity=opacity)


def _text(x: float, y: float, words: str, anchor: str = "middle", color: str = "currentColor") -> Markup:
    return _TEXT.format(x=x, y=y, words=words, anchor=anchor, color=color)


def _svg(elements: Sequence[Markup]) -> Markup:
    left, right, floor = _MARGIN, _WIDTH - _MARGIN, _HEIGHT - _MARGIN
    return _SVG.format(
        width=_WIDTH, height=_HEIGHT, left=left, right=right, floor=floor, elements=joined(list(elements))
    )


_BAR = Markup(
    '<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}" '
    'fill-opacity="{opacity}"/>'
)
_TEXT = Markup('<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}" font-size="9.5">{words}</text>')
_LINE = Markup('<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.6"/>')
_MARK = Markup('<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:g}" y2="{floor:g}" stroke="{color}" stroke-dasharray="4 3"/>')
_CELL = Markup(
    '<rect x="{x:.2f}" y="{y:.2f}" width="{side:.2f}" height="{side:.2f}" fill="#4269d0" fill-opacity="{opacity:.3f}"/>'
)
_GRID = Markup(
    '<svg viewBox="0 0 150 150" width="150" height="150" style="display:block;border:1px solid #8884">{cells}</svg>'
)
_SVG = Markup(
    '<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">'
    '<line x1="{left:g}" y1="{floor:g}" x2="{right:g}" y2="{floor:g}" stroke="currentColor"/>{elements}</svg>'
)
