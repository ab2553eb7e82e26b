"""``report.html``: one page that shows what a manifest holds, and opens without a server.

The contact sheet renders the same samples that training would; nothing on the page is fetched from elsewhere. Memory
does not grow with the manifest: histograms are added up part by part, pictures come from a few parts.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float64, Int64
from markupsafe import Markup

from cologen.datagen import rle
from cologen.datagen.faults import attempt
from cologen.datagen.images import Picture
from cologen.datagen.manifest import REPORT_NAME, Manifest, read_part
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.records import RejectedError
from cologen.datagen.review.sheet import Selection, chosen_rows, facts_of, some_rows, tiles_of
from cologen.reports import plots
from cologen.reports.page import joined, page

GRID = 24  # cells per side of a position map
NUM_BINS = 40


def write_report(folder: Folder, manifest: Manifest, root: Path, selection: Selection | None = None) -> None:
    """Write ``report.html`` beside the manifest; pictures are read under ``root``."""
    rows = chosen_rows(folder, manifest, selection or Selection())
    plotted = _plots(folder, manifest)
    folder.write(REPORT_NAME, _page(manifest, plotted, [_card(row, root, folder) for row in rows]))


@dataclass(frozen=True, slots=True)
class _Figures:
    """Per kind of mask: histograms of area over [0, 1] and of the largest IoU, and a heat map of positions."""

    areas: dict[str, Int64[np.ndarray, " num_bins"]]
    ious: dict[str, Int64[np.ndarray, " num_bins"]]
    positions: dict[str, Float64[np.ndarray, "grid grid"]]


def _figures(folder: Folder, manifest: Manifest) -> _Figures:
    kinds = list(manifest.mix.asked)
    figures = _Figures(
        {kind: np.zeros(NUM_BINS, np.int64) for kind in kinds},
        {kind: np.zeros(NUM_BINS, np.int64) for kind in kinds},
        {kind: np.zeros((GRID, GRID)) for kind in kinds},
    )
    for part in manifest.parts:
        table = read_part(folder, part.file, ("mask_kind", "mask_area", "max_object_iou"))
        kind_of = np.array(table["mask_kind"].to_pylist(), dtype=object)
        for kind in kinds:
            of_kind = kind_of == kind
            figures.areas[kind] += _binned(table["mask_area"].to_numpy()[of_kind])
            figures.ious[kind] += _binned(table["max_object_iou"].to_numpy()[of_kind])
    for row in some_rows(folder, manifest, seed=0):
        if row["mask_kind"] not in figures.positions:
            continue
        mask = attempt(partial(rle.decode, row["mask_rle"], row["height"], row["width"]))
        if isinstance(mask, RejectedError):
            continue  # its card says what is wrong
        figures.positions[row["mask_kind"]] += cv2.resize(
            mask.astype(np.float64), (GRID, GRID), interpolation=cv2.INTER_AREA
        )
    return figures


def _binned(values: np.ndarray) -> Int64[np.ndarray, " num_bins"]:
    return np.histogram(values, bins=NUM_BINS, range=(0, 1))[0]


def _card(row: dict[str, Any], root: Path, folder: Folder) -> Markup:
    facts, tiles = attempt(lambda: _facts(row)), attempt(lambda: tiles_of(row, root, folder))
    words = _WORDS.format(facts=facts, caption=row["caption"], sample_id=row["sample_id"])
    if isinstance(tiles, RejectedError):
        return _FIGURE.format(tiles=Markup("<b>{}</b>").format(tiles), words=words)
    shown = [_TILE.format(data=_data_uri(tile), name=name) for name, tile in tiles.items()]
    return _FIGURE.format(tiles=joined(shown), words=words)


def _facts(row: dict[str, Any]) -> Markup:
    first, *others = facts_of(row)
    return Markup(" · ").join([Markup("<b>{}</b>").format(first), *others])


def _data_uri(tile: Picture) -> str:
    encoded = cv2.imencode(".jpg", tile[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"


def _plots(folder: Folder, manifest: Manifest) -> Markup:
    titled: dict[str, Markup] = {}
    if manifest.mix.asked:
        titled["Mix: asked → achieved"] = plots.shares(manifest.mix.asked, manifest.mix.achieved)
    elif manifest.mix.achieved:
        titled["Kinds"] = _counts(manifest.mix.achieved)
    if manifest.task == "inpaint":
        titled |= _mask_plots(_figures(folder, manifest))
    titled["Rejected"] = _counts(manifest.rejected or {"nothing": 0})
    return joined([_PLOT.format(title=title, plot=plot) for title, plot in titled.items()])


def _counts(counted: dict[str, int]) -> Markup:
    rows = [Markup("<tr><td>{}<td>{:,}").format(name, count) for name, count in counted.items()]
    return Markup("<table>{}</table>").format(joined(rows))


def _mask_plots(figures: _Figures) -> dict[str, Markup]:
    maps = [
        Markup("<div>{}<small>{}</small></div>").format(plots.heat_map(grid), kind)
        for kind, grid in figures.positions.items()
    ]
    return {
        "Hidden part of the picture": plots.histogram(figures.areas, 0.0, 1.0),
        "Largest IoU with an object": plots.histogram(figures.ious, 0.0, 1.0),
        "Positions of masks": Markup("<div class=row>{}</div>").format(joined(maps)),
    }


def _page(manifest: Manifest, plotted: Markup, cards: list[Markup]) -> bytes:
    body = _BODY.format(
        rows=manifest.rows,
        num_parts=len(manifest.parts),
        num_rejected=sum(manifest.rejected.values()),
        hash=manifest.recipe_hash[:12],
        plotted=plotted,
        cards=joined(cards),
        recipe=manifest.model_dump_json(include={"recipe"}, indent=1),
    )
    return page(f"{manifest.task} from {manifest.source}", _STYLE, body)


_TILE = Markup('<div><img src="{data}" alt=""><small>{name}</small></div>')
_WORDS = Markup("{facts}<br>{caption}<br><code>{sample_id}</code>")
_FIGURE = Markup("<figure><div class=tiles>{tiles}</div><figcaption>{words}</figcaption></figure>")
_PLOT = Markup("<div><h2>{title}</h2>{plot}</div>")
_BODY = Markup("""<p>{rows:,} samples in {num_parts:,} parts; {num_rejected:,} rejected. Recipe <code>{hash}</code>.</p>
<section class=row>{plotted}</section>
<h2>Samples</h2><section class=cards>{cards}</section>
<details><summary>Recipe</summary><pre>{recipe}</pre></details>""")
_STYLE = Markup("""
body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:110rem;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.5rem;margin:0}h2{font-size:1rem;margin:.8rem 0 .3rem}
.row{display:flex;flex-wrap:wrap;gap:1.5rem}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(27rem,1fr));gap:1rem}
figure{margin:0;border:1px solid #8884;border-radius:8px;padding:.5rem}.tiles{display:flex;gap:.4rem}
.tiles div{flex:1;min-width:0}img{width:100%;border-radius:4px;display:block}small,code{color:#6a737d}
figcaption{font-size:12.5px;margin-top:.4rem}td{padding:.1rem .8rem .1rem 0}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#dfe3e8}}
""")
