"""What a report says in tables: figures, the paper's rows, problems, groups, and everything that decides a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cologen.evaluation.records import REASONS
from cologen.evaluation.reporting.figures import Figure
from cologen.evaluation.reporting.grids import (
    NO_FIGURE,
    Cell,
    Grid,
    decimals_for,
    figure_cell,
    heading,
    printed_decimals,
)
from cologen.evaluation.reporting.paper import PaperColumn, PaperTable, paper_tables
from cologen.evaluation.reporting.results import Results
from cologen.evaluation.scoring.candidates import MEANINGS

MODEL = "model"
_LESSONS = {
    "oracle": "These are the figures of a perfect answer.",
    "identity": "These are the figures of changing nothing.",
    "blank": "At chance.",
    "noise": "At chance.",
    "shuffled": "At chance.",
}


def alerts(results: Results) -> tuple[str, ...]:
    """What a reader has to know before any figure, by candidate."""
    said: list[str] = []
    for candidate, figures in results.candidates.items():
        pessimistic = [each for each in figures if each.pessimistic]
        if pessimistic:
            most = max((each.counts for each in pessimistic), key=lambda counts: counts.num_problems)
            said.append(
                f"{_named(results, candidate)}: {len(pessimistic)} of {len(figures)} figures are pessimistic. Of "
                f"{most.expected:,} outputs up to {most.num_problems:,} have problems and count as the worst value."
            )
        said += [
            f"{_named(results, candidate)}: {each.title} is withheld: {each.withheld}."
            for each in figures
            if each.figure is None and each.counts.not_applicable < each.counts.expected
        ]
    said += [f"{name} was not measured: {why}." for name, why in results.run.unmeasured.items()]
    return tuple(said)


def headline(results: Results) -> Grid:
    """A row for each metric: the first candidate's figure and what it rests on, then those of the others."""
    candidates = list(results.candidates)
    first = first_figures(results)
    rows = [
        (
            Cell(text=heading(each.title, each.better), note=each.metric, strong=True),
            figure_cell(each, strong=True),
            _mean_of_scored(each),
            _scored(each),
            *(figure_cell(results.figure(candidate, each.metric)) for candidate in candidates[1:]),
        )
        for each in first
    ]
    level = f"{100 * results.bootstrap.level:g} %"
    notes = [
        f"In brackets {level} bootstrap intervals: {results.bootstrap.resamples:,} resamples of "
        f"{results.benchmark.num_clusters:,} clusters (items that share a source or subject).",
        "A figure counts every output that has a problem as the metric's worst value; the mean of scored outputs "
        "leaves such outputs out.",
    ]
    notes += [f"{name}: {MEANINGS[name]}. {_LESSONS[name]}" for name in candidates if name in _LESSONS]
    notes += [
        f"{_named(results, name)}: {count:,} of {results.benchmark.num_outputs:,} outputs are of another size than "
        "what they are compared with, and are resized for it."
        for name, count in results.resized.items()
    ]
    without = sorted({each.no_interval for each in first if each.no_interval and each.figure is not None})
    for why in without:
        names = ", ".join(each.title for each in first if each.no_interval == why and each.figure is not None)
        notes.append(f"No interval of {names}: {why}.")
    names = [_named(results, candidate) for candidate in candidates]
    columns = ("metric", *names[:1], "mean of scored", "scored", *names[1:])
    return Grid(title="Figures", head=columns, rows=tuple(rows), notes=tuple(notes))


def beside_the_paper(results: Results) -> list[Grid]:
    """Our lines above the paper's, one table for each that the benchmark names."""
    return [_paper_grid(results, table) for table in paper_tables(results.benchmark.tables)]


def problems(results: Results, examples: Mapping[str, Mapping[str, Sequence[str]]]) -> Grid | None:
    """Why outputs have no value, by candidate and reason; ``examples`` are by candidate and reason."""
    rows: list[tuple[Cell, ...]] = []
    for candidate, figures in results.candidates.items():
        for reason, meaning in REASONS.items():
            counts = {each.title: each.counts.problems[reason] for each in figures if reason in each.counts.problems}
            for count in sorted(set(counts.values()), reverse=True):
                names = [name for name, each in counts.items() if each == count]
                rows.append(
                    (
                        Cell(text=_named(results, candidate)),
                        Cell(text=reason, note=meaning, strong=True),
                        Cell(text="all metrics" if len(names) == len(figures) else ", ".join(names)),
                        Cell(text=f"{count:,}", alert=True, number=True),
                        Cell(text="; ".join(examples.get(candidate, {}).get(reason, ()))),
                    )
                )
    head = ("outputs of", "problem", "metrics", "outputs", "the first of them")
    return Grid(title="Problems", head=head, rows=tuple(rows)) if rows else None


def by_group(results: Results) -> Grid | None:
    """A row for each group of the benchmark, a column for each metric of the first candidate."""
    figures = [each for each in first_figures(results) if each.groups]
    if not figures:
        return None
    rows = [
        (
            Cell(text=group or "(no group)", strong=True),
            Cell(text=f"{figures[0].groups[group].counts.expected:,}", number=True),
            *(figure_cell(each.groups[group]) for each in figures),
        )
        for group in figures[0].groups
    ]
    macro = [each.title for each in figures if each.macro]
    notes = (f"The figure of {', '.join(macro)} is the mean over groups.",) if macro else ()
    head = ("group", "outputs", *(heading(each.title, each.better) for each in figures))
    return Grid(title="By group", head=head, rows=tuple(rows), notes=notes)


def _paper_grid(results: Results, table: PaperTable) -> Grid:
    decimals = {
        column.metric: printed_decimals([row.values[column.metric] for row in table.rows]) for column in table.columns
    }
    ours = [
        (
            Cell(text=_named(results, candidate), note="this run", strong=candidate == MODEL),
            *(_ours(results, candidate, column, decimals[column.metric]) for column in table.columns),
        )
        for candidate in results.candidates
    ]
    rows, family = [(Cell(text="This run"),), *ours], None
    for row in table.rows:
        if all(value is None for value in row.values.values()):
            continue
        if row.family != family:
            family = row.family
            rows.append((Cell(text=f"As printed in the paper{family and f': {family}'}"),))
        printed = [
            Cell(text=NO_FIGURE if (value := row.values[metric]) is None else f"{value:.{places}f}", number=True)
            for metric, places in decimals.items()
        ]
        rows.append((Cell(text=row.method, note="see below" if row.doubt else ""), *printed))
    doubts = [f"{row.method}: {row.doubt}" for row in table.rows if row.doubt]
    scales = [f"{column.title} is {column.scale:g} times the metric." for column in table.columns if column.scale != 1]
    head = ("method", *(heading(column.title, column.better) for column in table.columns))
    return Grid(title=table.title, head=head, rows=tuple(rows), notes=(*table.notes, *doubts, *scales))


def _ours(results: Results, candidate: str, column: PaperColumn, decimals: int) -> Cell:
    """Our figure in the paper's scale; figures by other protocols are in the note."""
    cell = figure_cell(
        results.figure(candidate, column.metric), scale=column.scale, decimals=decimals, strong=candidate == MODEL
    )
    others = {name: results.figure(candidate, name) for name in column.also}
    notes = [
        f"{name} {column.scale * each.figure:.{decimals}f}"
        for name, each in others.items()
        if each is not None and each.figure is not None
    ]
    return replace(cell, note=" · ".join(filter(None, [cell.note, *notes])))


def _mean_of_scored(figure: Figure) -> Cell:
    value = figure.mean_of_scored
    if value is None:
        return Cell(text=NO_FIGURE, number=True)
    return Cell(text=f"{value:.{decimals_for(value)}f}", number=True)


def _scored(figure: Figure) -> Cell:
    counts = figure.counts
    notes = [f"{counts.not_applicable:,} do not apply"] if counts.not_applicable else []
    notes += [f"{counts.num_problems:,} with problems"] if counts.num_problems else []
    return Cell(
        text=f"{counts.scored:,} of {counts.expected:,}",
        note=", ".join(notes),
        alert=bool(counts.num_problems),
        number=True,
    )


def first_figures(results: Results) -> tuple[Figure, ...]:
    """The first candidate's figures: the model's, where it was scored."""
    return next(iter(results.candidates.values()), ())


def _named(results: Results, candidate: str) -> str:
    return results.run.model if candidate == MODEL else candidate
