"""A benchmark's report: ``results.json``, ``report.md`` and ``report.html`` in one folder, from the logs alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.metric import AnyMetric
from cologen.evaluation.reporting.bootstrap import Bootstrap
from cologen.evaluation.reporting.gallery import Gallery, chosen_metric, shown
from cologen.evaluation.reporting.grids import Grid, heading
from cologen.evaluation.reporting.means import figures_of
from cologen.evaluation.reporting.page import Sections, ShownGallery, histograms, html_report
from cologen.evaluation.reporting.provenance import how_measured, protocol
from cologen.evaluation.reporting.results import Results, Run, encoded, results_of
from cologen.evaluation.reporting.table import ScoreTable, read_table
from cologen.evaluation.reporting.tables import (
    alerts,
    beside_the_paper,
    by_group,
    headline,
    problems,
)
from cologen.evaluation.reporting.text import markdown_report
from cologen.model.files import write_atomically

RESULTS, MARKDOWN, HTML = "results.json", "report.md", "report.html"
NO_PICTURES = "This report was asked to hold no pictures."
NOT_SHAREABLE = "The pictures of this benchmark may not be passed on, so this report holds none."
KEEP = "This page holds pictures of a dataset that may not be passed on: do not share it."
NO_NUMBERS = "No output has a number to sort a gallery by."


def write_report(
    folder: Path,
    benchmark: Benchmark,
    logs: Mapping[str, Path],
    run: Run,
    *,
    gallery: Gallery | None,
    bootstrap: Bootstrap | None = None,
) -> Results:
    """Write the three files, each whole or not at all, and return what ``results.json`` holds.

    Args:
        folder: is made where it is not there.
        logs: the folder of each candidate's log; the first is the one that groups, distributions and gallery are of.
        run: metrics that it names as unmeasured are left out of the figures, and named in the report.
        gallery: None leaves all pictures out, and the report says so; what a benchmark that is not shareable should
            have unless it is asked for otherwise.
        bootstrap: None means 2,000 resamples with seed 0.

    Raises:
        ValueError: a log does not fit the benchmark, there is no log, or the gallery's metric is not there.
    """
    if not logs:
        raise ValueError("a report needs the log of at least one candidate")
    bootstrap = bootstrap or Bootstrap()
    metrics = [metric for metric in benchmark.metrics if metric.name not in run.unmeasured]
    tables = {name: read_table(log, benchmark.items, metrics) for name, log in logs.items()}
    figures = {name: figures_of(table, metrics, bootstrap) for name, table in tables.items()}
    resized = {name: table.num_resized for name, table in tables.items()}
    results = results_of(benchmark, run, bootstrap, figures, resized)
    found = problems(results, {name: table.examples for name, table in tables.items()}), by_group(results)
    first = [headline(results), *(grid for grid in found if grid is not None), *beside_the_paper(results)]
    last = [how_measured(results), *protocol(results)]
    sections = Sections(
        title=f"{benchmark.title}: {run.model}",
        facts=_facts(results),
        alerts=(*alerts(results), *([KEEP] if gallery and not benchmark.shareable else [])),
        first=first,
        histograms=histograms(tables, figures),
        pictures=_pictures(gallery, metrics, next(iter(tables.values())), shareable=benchmark.shareable),
        last=last,
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / RESULTS, encoded(results))
    write_atomically(folder / MARKDOWN, _markdown(sections))
    write_atomically(folder / HTML, html_report(sections))
    return results


def _pictures(
    gallery: Gallery | None, metrics: Sequence[AnyMetric], table: ScoreTable, *, shareable: bool
) -> ShownGallery | str:
    if gallery is None:
        return NO_PICTURES if shareable else NOT_SHAREABLE
    metric = chosen_metric(gallery, metrics, table)
    if metric is None:
        return NO_NUMBERS
    return ShownGallery(title=heading(metric.title, metric.better), outputs=shown(gallery, metric, table))


def _markdown(sections: Sections) -> bytes:
    grids: list[Grid] = [*sections.first, *sections.last]
    return markdown_report(sections.title, [alert for alert in sections.alerts if alert != KEEP], grids)


def _facts(results: Results) -> str:
    asked = results.benchmark
    rejected = f", {len(asked.rejected):,} rows of the dataset rejected" if asked.rejected else ""
    return f"{asked.num_items:,} items, {asked.num_outputs:,} outputs{rejected}. Seed {results.run.seed}."
