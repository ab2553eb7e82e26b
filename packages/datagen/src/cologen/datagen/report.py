"""``report.html``: one page that shows what a manifest holds, and opens without a server.

The contact sheet renders the same samples that training would; nothing on the page is fetched from elsewhere. Memory
does not grow with the manifest: histograms are added up part by part, pictures come from a few parts.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float64, Int64

from cologen.datagen import plots, rle
from cologen.datagen.concepts.segmenter import Picture
from cologen.datagen.manifest import MIX_COLUMNS, REPORT_NAME, Manifest, read_part
from cologen.datagen.randomness import generator
from cologen.datagen.records import RejectedError
from cologen.datagen.samples import Sample, fitted, render
from cologen.datagen.storage import Folder

TILE_SIDE = 256  # pixels
GRID = 24  # cells per side of a position map
NUM_BINS = 40
MAX_PARTS_SHOWN = 8
_MASK_COLOR, _OBJECT_COLOR = (235, 64, 52), (255, 214, 10)  # RGB


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which samples to show: how many of each kind, of which kind (None: all), and the seed of the choice."""

    per_kind: int = 8
    kind: str | None = None
    seed: int = 0


def write_report(folder: Folder, manifest: Manifest, root: Path, selection: Selection | None = None) -> None:
    """Write ``report.html`` beside the manifest; pictures are read under ``root``."""
    rows = chosen_rows(folder, manifest, selection or Selection())
    page = _page(manifest, _figures(folder, manifest), [_card(row, root) for row in rows])
    folder.write(REPORT_NAME, page.encode())


def chosen_rows(folder: Folder, manifest: Manifest, selection: Selection) -> list[dict[str, Any]]:
    """Rows drawn by seed from up to ``MAX_PARTS_SHOWN`` parts, as many of each kind, in the order of kinds."""
    column = MIX_COLUMNS[manifest.task] or "task"
    by_kind: dict[str, list[dict[str, Any]]] = {kind: [] for kind in manifest.mix.asked}
    for row in _some_rows(folder, manifest, selection.seed):
        if selection.kind in (None, row[column]) and len(by_kind.setdefault(row[column], [])) < selection.per_kind:
            by_kind[row[column]].append(row)
    return [row for rows in by_kind.values() for row in rows]


def overlay(sample: Sample, row: Mapping[str, Any]) -> Picture:
    """The target with the mask tinted red and the object's outline in yellow."""
    picture = sample.target.copy()
    hidden = sample.mask.astype(bool)
    picture[hidden] = (0.5 * picture[hidden] + 0.5 * np.array(_MASK_COLOR)).astype(np.uint8)
    if row["object_rle"] is not None:
        outline = cv2.findContours(
            rle.decode(row["object_rle"], row["height"], row["width"]), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )[0]
        cv2.drawContours(picture, outline, -1, _OBJECT_COLOR, max(1, round(max(picture.shape) / 200)))
    return picture


def _some_rows(folder: Folder, manifest: Manifest, seed: int) -> Iterator[dict[str, Any]]:
    """All rows of a few parts, shuffled by seed within each part."""
    shown = generator(seed, "report").permutation(len(manifest.parts))[:MAX_PARTS_SHOWN]
    for index in sorted(shown.tolist()):
        rows = read_part(folder, manifest.parts[index].file).to_pylist()
        for position in generator(seed, "report", index).permutation(len(rows)).tolist():
            yield rows[position]


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
    for row in _some_rows(folder, manifest, seed=0):
        mask = rle.decode(row["mask_rle"], row["height"], row["width"])
        figures.positions[row["mask_kind"]] += cv2.resize(
            mask.astype(np.float64), (GRID, GRID), interpolation=cv2.INTER_AREA
        )
    return figures


def _binned(values: np.ndarray) -> Int64[np.ndarray, " num_bins"]:
    return np.histogram(values, bins=NUM_BINS, range=(0, 1))[0]


def _card(row: dict[str, Any], root: Path) -> str:
    try:
        sample = render(row, root)
    except RejectedError as error:
        return f"<figure><figcaption>{html.escape(row['sample_id'])}: {html.escape(str(error))}</figcaption></figure>"
    shown = (("source", sample.source), ("target", sample.target), ("mask and object", overlay(sample, row)))
    tiles = "".join(
        f'<div><img src="{_data_uri(picture)}" alt=""><small>{name}</small></div>' for name, picture in shown
    )
    return (
        f"<figure><div class=tiles>{tiles}</div><figcaption><b>{row['mask_kind']}</b> · "
        f"{html.escape(row['object_noun'] or 'no name')} · {100 * row['mask_area']:.1f} % of the picture · "
        f"largest IoU {row['max_object_iou']:.2f} · hides up to {100 * row['max_object_coverage']:.0f} % of an "
        "object<br>"
        f"{html.escape(row['caption'])}<br><code>{html.escape(row['sample_id'])}</code></figcaption></figure>"
    )


def _data_uri(picture: Picture) -> str:
    encoded = cv2.imencode(".jpg", fitted(picture, TILE_SIDE)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"


def _page(manifest: Manifest, figures: _Figures, cards: list[str]) -> str:
    maps = "".join(
        f"<div>{plots.heat_map(grid)}<small>{kind}</small></div>" for kind, grid in figures.positions.items()
    )
    reasons = "".join(f"<tr><td>{html.escape(name)}<td>{count}" for name, count in manifest.rejected.items())
    recipe = html.escape(manifest.model_dump_json(include={"recipe"}, indent=1))
    return f"""<!doctype html><html lang=en><meta charset=utf-8><title>{manifest.task} from {manifest.source}</title>
<style>{_STYLE}</style><h1>{manifest.task} from {manifest.source}</h1>
<p>{manifest.rows:,} samples in {len(manifest.parts):,} parts; {sum(manifest.rejected.values()):,} turned away.
Recipe <code>{manifest.recipe_hash[:12]}</code>.</p>
<section class=row>
<div><h2>Mix: asked → achieved</h2>{plots.shares(manifest.mix.asked, manifest.mix.achieved)}</div>
<div><h2>Hidden part of the picture</h2>{plots.histogram(figures.areas, 0, 1)}</div>
<div><h2>Largest IoU with an object</h2>{plots.histogram(figures.ious, 0, 1)}</div>
<div><h2>Where masks lie</h2><div class=row>{maps}</div></div>
<div><h2>Turned away</h2><table>{reasons or "<tr><td>nothing"}</table></div>
</section>
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
