"""The figures of the paper's tables 2 to 8, for a report to show beside its own.

``paper.toml`` holds them as printed, with what is known of each table's protocol.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from cologen.evaluation.metric import Better

DASH = "-"
"""What the paper prints where a method has no figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperColumn:
    """A column: the benchmark's metric that it stands beside. The paper prints ``scale`` times the metric's value.

    ``also`` are metrics that measure the same by another protocol, to be shown with it.
    """

    metric: str
    title: str
    better: Better
    scale: float = 1.0
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """A method's figures by metric, as printed; None is the paper's dash. ``doubt`` says why it may not compare."""

    method: str
    family: str
    values: Mapping[str, float | None]
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTable:
    """What one table of the paper, ``number``, says about one benchmark; ``key`` is what ``Benchmark.tables`` names."""

    key: str
    number: int
    title: str
    columns: tuple[PaperColumn, ...]
    rows: tuple[PaperRow, ...]
    notes: tuple[str, ...] = ()

    def column(self, metric: str) -> PaperColumn | None:
        """The column beside which a metric stands."""
        return next((each for each in self.columns if each.metric == metric), None)


def paper_tables(keys: Iterable[str]) -> tuple[PaperTable, ...]:
    """The tables by key, in the order asked for.

    Raises:
        ValueError: the paper has no such table.
    """
    known = all_paper_tables()
    wanted = list(keys)
    if unknown := [key for key in wanted if key not in known]:
        raise ValueError(f"the paper has no table {unknown[0]!r}: expected one of {', '.join(known)}")
    return tuple(known[key] for key in wanted)


def paper_rows(keys: Iterable[str]) -> tuple[tuple[PaperTable, PaperRow], ...]:
    """Every row of these tables, each with its table.

    Raises:
        ValueError: the paper has no such table.
    """
    return tuple((table, row) for table in paper_tables(keys) for row in table.rows)


@cache
def all_paper_tables() -> Mapping[str, PaperTable]:
    """All tables by key, in the paper's order."""
    content = tomllib.loads(files("cologen.evaluation.reporting").joinpath("paper.toml").read_text(encoding="utf-8"))
    return MappingProxyType({key: _table(key, section) for key, section in content.items()})


def _table(key: str, section: Mapping[str, Any]) -> PaperTable:
    columns = tuple(_column(**column) for column in section["columns"])
    doubts: dict[str, str] = section.get("doubts", {})
    rows = tuple(_row(key, columns, doubts, **row) for row in section["rows"])
    if strangers := doubts.keys() - {row.method for row in rows}:
        raise ValueError(f"paper.toml: {key} doubts {min(strangers)!r}, which is none of its rows")
    return PaperTable(
        key=key,
        number=section["table"],
        title=section["title"],
        columns=columns,
        rows=rows,
        notes=tuple(section["notes"]),
    )


def _column(*, also: list[str] | None = None, **column: Any) -> PaperColumn:
    return PaperColumn(also=tuple(also or ()), **column)


def _row(
    key: str,
    columns: tuple[PaperColumn, ...],
    doubts: Mapping[str, str],
    *,
    method: str,
    family: str,
    values: list[Any],
) -> PaperRow:
    if len(values) != len(columns):
        raise ValueError(f"paper.toml: {key}, {method} has {len(values)} figures for {len(columns)} columns")
    figures = {
        column.metric: None if value == DASH else float(value) for column, value in zip(columns, values, strict=True)
    }
    return PaperRow(method=method, family=family, values=MappingProxyType(figures), doubt=doubts.get(method, ""))
