"""What decides a report's figures, in tables: protocols, settings, networks, versions, rejected rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from cologen.evaluation.reporting.grids import NO_FIGURE, Cell, Grid, text_row
from cologen.evaluation.reporting.results import Results
from cologen.evaluation.reporting.tables import first_figures

_NUM_REJECTED = 20


def how_measured(results: Results) -> Grid:
    """Each metric's protocol in words."""
    rows = [
        (
            Cell(text=each.title, note=each.metric, strong=True),
            Cell(text=each.protocol),
            Cell(text=", ".join(each.networks) or NO_FIGURE),
            Cell(text={"output": "output", "item": "item", "set": "all outputs"}[each.unit]),
            Cell(text=f"{each.best:g}", number=True),
            Cell(text=NO_FIGURE if each.worst is None else f"{each.worst:g}", number=True),
        )
        for each in first_figures(results)
    ]
    return Grid(
        title="How each metric is measured",
        head=("metric", "protocol", "networks", "a number for each", "best", "worst"),
        rows=tuple(rows),
    )


def protocol(results: Results) -> list[Grid]:
    """Everything else that decides a figure."""
    asked, run = results.benchmark, results.run
    counts = {
        "items": f"{asked.num_items:,}",
        "outputs": f"{asked.num_outputs:,}",
        "clusters": f"{asked.num_clusters:,}",
        "seed of the outputs": f"{run.seed}",
        "seed of the bootstrap": f"{results.bootstrap.seed}",
    }
    sampling = {name: f"{value:g}" for name, value in asked.sampling.items()}
    generation = {name: str(value) for name, value in run.generation.items()}
    grids = [
        _pairs("Protocol", dict(asked.protocol), asked.notes),
        _pairs("Counts", counts),
        _pairs("Sampling settings of the protocol", sampling),
        _pairs("Generation", generation),
        _networks(results),
        _pairs("Versions", run.versions),
        _rejected(results),
    ]
    return [grid for grid in grids if grid.rows]


def _networks(results: Results) -> Grid:
    used, asked = results.run.networks, results.benchmark.networks
    rows = [text_row(name, used.get(name, "not used"), asked.get(name, "")) for name in sorted({*used, *asked})]
    return Grid(title="Networks", head=("network", "used", "the protocol asks for"), rows=tuple(rows))


def _rejected(results: Results) -> Grid:
    rejected = results.benchmark.rejected
    counts = ", ".join(
        f"{reason} {count:,}" for reason, count in Counter(each.reason for each in rejected).most_common()
    )
    rows = [text_row(each.sample_id, each.reason, each.detail) for each in rejected[:_NUM_REJECTED]]
    notes = (f"{counts}. All of them are in results.json.",) if rejected else ()
    title = f"{len(rejected):,} rows of the dataset that are no items"
    return Grid(title=title, head=("row", "reason", "detail"), rows=tuple(rows), notes=notes)


def _pairs(title: str, values: Mapping[str, str], notes: tuple[str, ...] = ()) -> Grid:
    return Grid(title=title, head=(), rows=tuple(text_row(name, value) for name, value in values.items()), notes=notes)
