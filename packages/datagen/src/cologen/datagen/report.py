"""``report.html``: one page that shows what a manifest holds, and opens without a server.

The contact sheet renders the same samples that training would; nothing on the page is fetched from elsewhere. Memory
does not grow with the manifest: histograms are added up part by part, pictures come from a few parts.
"""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float64, Int64

from cologen.datagen import plots, rle
from cologen.datagen.images import Picture
from cologen.datagen.manifest import REPORT_NAME, Manifest, read_part
from cologen.datagen.records import RejectedError
from cologen.datagen.sheet import Selection, chosen_rows, some_rows, tiles_of
from cologen.datagen.storage import Folder

GRID = 24  # cells per side of a position map
NUM_BINS = 40


def write_report(folder: Folder, manifest: Manifest, root: Path, selection: Selection | None = None) -> None:
    """Write ``report.html`` beside the manifest; pictures are read under ``root``."""
    rows = chosen_rows(folder, manifest, selection or Selection())
    plotted = _plots(folder, manifest)
    page = _page(manifest, plotted, [_card(row, root, folder) for row in rows])
    folder.write(REPORT_NAME, page.encode())


@dataclass(frozen=True, slots=True)
class _Figures:
    """Per kind of mask: histograms of area over [0, 1] and of the largest IoU, and where masks lie."""

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
        mask = rle.decode(row["mask_rle"], row["height"], row["width"])
        figures.positions[row["mask_kind"]] += cv2.resize(
            mask.astype(np.float64), (GRID, GRID), interpolation=cv2.INTER_AREA
        )
    return figures


def _binned(values: np.ndarray) -> Int64[np.ndarray, " num_bins"]:
    return np.histogram(values, bins=NUM_BINS, range=(0, 1))[0]


def _card(row: dict[str, Any], root: Path, folder: Folder) -> str:
    try:
        tiles = tiles_of(row, root, folder)
    except RejectedError as error:
        return f"<figure><figcaption>{html.escape(row['sample_id'])}: {html.escape(str(error))}</figcaption></figure>"
    shown = "".join(
        f'<div><img src="{_data_uri(tile)}" alt=""><small>{name}</small></div>' for name, tile in tiles.items()
    )
    return (
        f"<figure><div class=tiles>{shown}</div><figcaption>{_facts(row)}<br>"
        f"{html.escape(row['caption'])}<br><code>{html.escape(row['sample_id'])}</code></figcaption></figure>"
    )


def _facts(row: dict[str, Any]) -> str:
    if row["task"] == "concepts":
        return f"<b>{len(row['objects'])} objects</b> · nouns: {html.escape(', '.join(row['nouns']))}"
    if row["task"] == "grounding":
        flags = "".join(f" · {flag}" for flag in ("inverse", "negative") if row[flag])
        return f"<b>{row['referring']}</b> · {html.escape(row['phrase'])} · {html.escape(row['color'])}{flags}"
    if row["task"] in ("customized", "editing"):
        return _pair_facts(row)
    if row["task"] == "control":
        return f"<b>{row['condition']}</b> · {_origin(row)}"
    noun = row["object_noun"] or ("no name" if row["object_rle"] else "no object")
    return (
        f"<b>{row['mask_kind']}</b> · {html.escape(noun)} · "
        f"{100 * row['mask_area']:.1f} % of the picture · largest IoU {row['max_object_iou']:.2f} · "
        f"hides up to {100 * row['max_object_coverage']:.0f} % of an object"
    )


def _origin(row: dict[str, Any]) -> str:
    """Where the source of a control row comes from."""
    if row["online"]:
        return "extracted online, when a batch is made"
    if row["condition"] == "canny":
        return f"thresholds {row['canny_low']} and {row['canny_high']}"
    by = "the dataset's own map" if row["map_hash"] is None else "drawn in advance"
    return f"{by}, {row['condition_width']} × {row['condition_height']} beside {row['width']} × {row['height']}"


def _pair_facts(row: dict[str, Any]) -> str:
    if row["task"] == "editing":
        named = f"<b>{html.escape(row['edit_type'])}</b>"
    else:
        named = f"<b>{row['direction']}</b> · {html.escape(row['subject'] or 'no name')}"
    return named + "".join(f" · {html.escape(one['name'])} {one['value']:g}" for one in row["scores"])


def _data_uri(tile: Picture) -> str:
    encoded = cv2.imencode(".jpg", tile[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"


def _plots(folder: Folder, manifest: Manifest) -> str:
    titled: dict[str, str] = {}
    if manifest.mix.asked:
        titled["Mix: asked → achieved"] = plots.shares(manifest.mix.asked, manifest.mix.achieved)
    elif manifest.mix.achieved:
        titled["Kinds"] = _counts(manifest.mix.achieved)
    if manifest.task == "inpaint":
        titled |= _mask_plots(_figures(folder, manifest))
    return "".join(f"<div><h2>{title}</h2>{plot}</div>" for title, plot in titled.items())


def _counts(counted: dict[str, int]) -> str:
    rows = "".join(f"<tr><td>{html.escape(name)}<td>{count:,}" for name, count in counted.items())
    return f"<table>{rows}</table>"


def _mask_plots(figures: _Figures) -> dict[str, str]:
    maps = "".join(
        f"<div>{plots.heat_map(grid)}<small>{kind}</small></div>" for kind, grid in figures.positions.items()
    )
    return {
        "Hidden part of the picture": plots.histogram(figures.areas, 0.0, 1.0),
        "Largest IoU with an object": plots.histogram(figures.ious, 0.0, 1.0),
        "Where masks lie": f"<div class=row>{maps}</div>",
    }


def _page(manifest: Manifest, plotted: str, cards: list[str]) -> str:
    reasons = _counts(manifest.rejected or {"nothing": 0})
    recipe = html.escape(manifest.model_dump_json(include={"recipe"}, indent=1))
    return f"""<!doctype html><html lang=en><meta charset=utf-8><title>{manifest.task} from {manifest.source}</title>
<style>{_STYLE}</style><h1>{manifest.task} from {manifest.source}</h1>
<p>{manifest.rows:,} samples in {len(manifest.parts):,} parts; {sum(manifest.rejected.values()):,} turned away.
Recipe <code>{manifest.recipe_hash[:12]}</code>.</p>
<section class=row>{plotted}<div><h2>Turned away</h2>{reasons}</div></section>
<h2>Samples</h2><section class=cards>{"".join(cards)}</section>
<details><summary>Recipe</summary><pre>{recipe}</pre></details>"""


_STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:110rem;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.5rem;margin:0}h2{font-size:1rem;margin:.8rem 0 .3rem}
.row{display:flex;flex-wrap:wrap;gap:1.5rem}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(27rem,1fr));gap:1rem}
figure{margin:0;border:1px solid #8884;border-radius:8px;padding:.5rem}.tiles{display:flex;gap:.4rem}
.tiles div{flex:1;min-width:0}img{width:100%;border-radius:4px;display:block}small,code{color:#6a737d}
figcaption{font-size:12.5px;margin-top:.4rem}td{padding:.1rem .8rem .1rem 0}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#dfe3e8}}
"""
