"""The tables of a report as records, which the page and the Markdown file both show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cologen.evaluation.metric import Better
from cologen.evaluation.reporting.figures import Interval, Mean

ARROWS = {"higher": "↑", "lower": "↓"}
NO_FIGURE = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell: its text, a smaller note, whether it is stressed, and whether it warns."""

    text: str
    note: str = ""
    strong: bool = False
    alert: bool = False
    number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table with its heading; ``notes`` are paragraphs below it. A row of one cell is a heading within."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


def text_row(*texts: str) -> tuple[Cell, ...]:
    """A row of plain text."""
    return tuple(Cell(text=text) for text in texts)


def heading(title: str, better: Better) -> str:
    """A metric's title and the direction in which it is better."""
    return f"{title} {ARROWS[better]}"


def figure_cell(mean: Mean | None, *, scale: float = 1.0, decimals: int | None = None, strong: bool = False) -> Cell:
    """A figure with its interval; what is withheld or pessimistic warns."""
    if mean is None:
        return Cell(text=NO_FIGURE, note="not measured", number=True)
    if mean.figure is None:
        nothing = mean.counts.not_applicable == mean.counts.expected
        return Cell(text=NO_FIGURE, note="does not apply" if nothing else "withheld", alert=not nothing, number=True)
    value = scale * mean.figure
    places = decimals_for(value) if decimals is None else decimals
    note = _within(mean.interval, scale, places)
    if mean.pessimistic:
        note = f"{note} pessimistic".strip()
    return Cell(text=f"{value:.{places}f}", note=note, strong=strong, alert=mean.pessimistic, number=True)


def decimals_for(value: float) -> int:
    """Places behind the point that tell figures of this size apart."""
    size = abs(value)
    return 4 if size < 2 else 3 if size < 10 else 2


def printed_decimals(values: Sequence[float | None]) -> int:
    """Places behind the point with which the paper prints a column."""
    return max((len(f"{value!r}".partition(".")[2]) for value in values if value is not None), default=3)


def _within(interval: Interval | None, scale: float, places: int) -> str:
    if interval is None:
        return ""
    return f"[{scale * interval.low:.{places}f}, {scale * interval.high:.{places}f}]"
