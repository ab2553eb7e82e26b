"""``report.md``: the tables of a report as Markdown, for issues and pull requests."""

from __future__ import annotations

from collections.abc import Sequence

from cologen.evaluation.reporting.grids import Cell, Grid
from cologen.reports.printable import markdown


def markdown_report(title: str, alerts: Sequence[str], grids: Sequence[Grid]) -> bytes:
    """The whole file; text from data takes no effect as markup."""
    parts = [f"# {markdown(title)}"]
    if alerts:
        parts.append("\n".join(["> [!WARNING]", *(f"> - {markdown(alert)}" for alert in alerts)]))
    parts += [_section(grid) for grid in grids]
    return ("\n\n".join(parts) + "\n").encode()


def _section(grid: Grid) -> str:
    width = len(grid.head) or 2
    head = [markdown(name) for name in grid.head] or [""] * width
    numbers = [any(len(row) == width and row[column].number for row in grid.rows) for column in range(width)]
    rule = ["---:" if number else "---" for number in numbers]
    lines = [_line(head), _line(rule)]
    for row in grid.rows:
        cells = [_cell(cell) for cell in row]
        lines.append(_line(cells if len(row) == width else [f"*{cells[0]}*"] + [""] * (width - 1)))
    notes = [f"- {markdown(note)}" for note in grid.notes]
    return "\n".join([f"## {markdown(grid.title)}", "", *lines, *(["", *notes] if notes else [])])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = markdown(cell.text)
    if text and cell.strong:
        text = f"**{text}**"
    if cell.alert:
        text = f"{text} ⚠"
    return f"{text} {markdown(cell.note)}".strip() if cell.note else text
