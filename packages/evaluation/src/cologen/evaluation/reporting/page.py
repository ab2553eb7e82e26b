"""``report.html``: one page with the tables, a histogram of each metric and a gallery; it opens without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from cologen.evaluation.reporting.figures import Figure
from cologen.evaluation.reporting.gallery import Shown
from cologen.evaluation.reporting.grids import Cell, Grid, decimals_for, heading
from cologen.evaluation.reporting.table import ScoreTable
from cologen.reports.page import joined, page
from cologen.reports.plots import histogram

_FEWEST_BINS, _MOST_BINS = 8, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownGallery:
    """The outputs by kind, and the metric that sorted them."""

    title: str
    outputs: Mapping[str, Sequence[Shown]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """The page in its order; ``pictures`` is the gallery, or why there is none."""

    title: str
    facts: str
    alerts: Sequence[str]
    first: Sequence[Grid]
    histograms: Markup
    pictures: ShownGallery | str
    last: Sequence[Grid]


def html_report(sections: Sections) -> bytes:
    """The whole page."""
    body = _BODY.format(
        facts=sections.facts,
        alerts=_alerts(sections.alerts),
        first=joined([_grid(grid) for grid in sections.first]),
        histograms=sections.histograms,
        pictures=_pictures(sections.pictures),
        last=joined([_grid(grid) for grid in sections.last]),
    )
    return page(sections.title, _STYLE, body)


def histograms(tables: Mapping[str, ScoreTable], figures: Mapping[str, Sequence[Figure]]) -> Markup:
    """How the first candidate's numbers are spread, for each metric that has some; lines at all candidates' means."""
    first = next(iter(tables))
    plotted: list[Markup] = []
    for figure in figures[first]:
        values = tables[first].columns[figure.metric].values
        if (there := values[~np.isnan(values)]).size:
            means = {
                name: each.mean_of_scored
                for name, all_of_it in figures.items()
                for each in all_of_it
                if each.metric == figure.metric and each.mean_of_scored is not None
            }
            plotted.append(_PLOT.format(title=heading(figure.title, figure.better), plot=_histogram(there, means)))
    if not plotted:
        return Markup()
    return _HISTOGRAMS.format(first=first, plots=joined(plotted))


def _histogram(values: np.ndarray, means: Mapping[str, float]) -> Markup:
    ends = [*means.values(), float(values.min()), float(values.max())]
    low, high = min(ends), max(ends)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    num_bins = min(_MOST_BINS, max(_FEWEST_BINS, round(2 * len(values) ** 0.5)))
    counts = np.histogram(values, bins=num_bins, range=(low, high))[0]
    return histogram({"": counts}, round(low, 4), round(high, 4), marks=means)


def _alerts(alerts: Sequence[str]) -> Markup:
    if not alerts:
        return Markup()
    return _ALERTS.format(joined([Markup("<li>{}").format(alert) for alert in alerts]))


def _grid(grid: Grid) -> Markup:
    width = len(grid.head) or 2
    numbers = [any(len(row) == width and row[column].number for row in grid.rows) for column in range(width)]
    head = joined([_HEAD[number].format(name) for name, number in zip(grid.head, numbers, strict=False)])
    rows = [Markup("<tr>{}").format(joined(_row(row, width))) for row in grid.rows]
    notes = [Markup("<p class=note>{}").format(note) for note in grid.notes]
    return _GRID.format(
        title=grid.title, head=Markup("<tr>{}").format(head) if head else "", rows=joined(rows), notes=joined(notes)
    )


def _row(row: Sequence[Cell], width: int) -> list[Markup]:
    if len(row) == 1:
        return [Markup("<th colspan={} class=family>{}").format(width, row[0].text)]
    return [_cell(cell) for cell in row]


def _cell(cell: Cell) -> Markup:
    names = [name for name, on in (("alert", cell.alert), ("number", cell.number)) if on]
    attribute = Markup(' class="{}"').format(" ".join(names)) if names else Markup()
    text = Markup("<b>{}</b>").format(cell.text) if cell.strong else cell.text
    note = Markup("<small>{}</small>").format(cell.note) if cell.note else ""
    return Markup("<td{}>{}{}").format(attribute, text, note)


def _pictures(pictures: ShownGallery | str) -> Markup:
    if isinstance(pictures, str):
        return _NO_PICTURES.format(pictures)
    parts = [
        Markup("<h3>{}</h3><div class=cards>{}</div>").format(
            name.capitalize(), joined([_card(each) for each in outputs])
        )
        for name, outputs in pictures.outputs.items()
        if outputs
    ]
    return _GALLERY.format(title=pictures.title, parts=joined(parts))


def _card(output: Shown) -> Markup:
    tiles = [_TILE.format(uri=uri, name=name) for name, uri in output.uris.items()]
    problem = Markup("<b class=alert>{}</b>").format(output.problem) if output.problem else ""
    values = [f"{name} {value:.{decimals_for(value)}f}" for name, value in output.values.items()]
    return _CARD.format(
        tiles=joined(tiles),
        problem=problem,
        prompt=output.item.prompt,
        values=" · ".join(values),
        item_id=output.item.item_id,
        output=output.output,
    )


_HEAD = {False: Markup("<th>{}"), True: Markup("<th class=number>{}")}
_BODY = Markup("""<p>{facts}</p>{alerts}{first}{histograms}{pictures}{last}""")
_ALERTS = Markup("<section class=banner role=alert><b>Read this first</b><ul>{}</ul></section>")
_GRID = Markup("<section><h2>{title}</h2><div class=wide><table>{head}{rows}</table></div>{notes}</section>")
_HISTOGRAMS = Markup(
    "<section><h2>Distributions</h2><p class=note>Scored outputs of {first}; lines are means of scored outputs.</p>"
    "<div class=row>{plots}</div></section>"
)
_PLOT = Markup("<div><h3>{title}</h3>{plot}</div>")
_GALLERY = Markup("<section><h2>Outputs by {title}</h2>{parts}</section>")
_NO_PICTURES = Markup("<section><h2>Outputs</h2><p>{}</p></section>")
_TILE = Markup('<div><img src="{uri}" alt="{name}"><small>{name}</small></div>')
_CARD = Markup(
    "<figure><div class=tiles>{tiles}</div>{problem}<figcaption>{prompt}<br><small>{values}</small>"
    "<small>{item_id}, output {output}</small></figcaption></figure>"
)
_STYLE = Markup("""
body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:90rem;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.6rem;margin:0}h2{font-size:1.1rem;margin:0 0 .5rem}h3{font-size:.95rem;margin:.8rem 0 .3rem}
section{margin:1.2rem 0;border:1px solid #8884;border-radius:10px;padding:1rem 1.2rem}
.banner{border:2px solid #cf222e;background:#cf222e14}.banner>b{color:#cf222e}
.banner ul{margin:.3rem 0 0;padding-left:1.2rem}
.wide{overflow-x:auto}table{border-collapse:collapse}
td,th{padding:.25rem 1.2rem .25rem 0;text-align:left;vertical-align:top;overflow-wrap:break-word}
td{border-top:1px solid #8883}.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
th,small,.note{color:#6a737d;font-weight:400}th{white-space:nowrap}.family{padding-top:.8rem;font-style:italic}
small{display:block;font-size:12px}.note{margin:.4rem 0 0;font-size:13px;max-width:70rem}
.alert,.alert small{color:#cf222e}
.row{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(24rem,1fr));gap:1rem}
figure{margin:0;border:1px solid #8884;border-radius:8px;padding:.6rem}
.tiles{display:flex;gap:.4rem}.tiles div{flex:1;min-width:0}img{width:100%;border-radius:4px;display:block}
figcaption{margin-top:.4rem;overflow-wrap:anywhere}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#dfe3e8}th,small,.note{color:#9aa4ae}
.alert,.alert small,.banner>b{color:#ff7b72}.banner{border-color:#ff7b72}}
""")
