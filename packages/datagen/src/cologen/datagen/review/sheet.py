"""Chooses samples to show, and renders them: tiles for the report, and contact sheets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image

from cologen.datagen import images, rle
from cologen.datagen.faults import attempt
from cologen.datagen.images import Picture
from cologen.datagen.manifest import Manifest, read_part
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.schemas import MIX_COLUMNS
from cologen.datagen.randomness import generator
from cologen.datagen.records import RejectedError
from cologen.datagen.samples import render
from cologen.reports import contact_sheet

TILE_SIDE = 256  # pixels
MAX_PARTS_SHOWN = 8
_LABEL_HEIGHT = 22  # pixels
_MASK_COLOR, _OBJECT_COLOR = (235, 64, 52), (255, 214, 10)  # RGB
_NO_PICTURE = np.full((64, 64, 3), 225, np.uint8)
_CONCEPT_COLORS = ((255, 89, 94), (25, 130, 196), (138, 201, 38), (255, 202, 58), (106, 76, 147))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which samples to show: how many of each kind, of which kind (None: all), and the seed of the choice."""

    per_kind: int = 8
    kind: str | None = None
    seed: int = 0


def chosen_rows(folder: Folder, manifest: Manifest, selection: Selection) -> list[dict[str, Any]]:
    """Rows drawn by seed from up to ``MAX_PARTS_SHOWN`` parts, as many of each kind, in the order of kinds."""
    column = MIX_COLUMNS[manifest.task] or "task"
    by_kind: dict[str, list[dict[str, Any]]] = {kind: [] for kind in manifest.mix.asked}
    for row in some_rows(folder, manifest, selection.seed):
        if selection.kind in (None, row[column]) and len(by_kind.setdefault(row[column], [])) < selection.per_kind:
            by_kind[row[column]].append(row)
    return [row for rows in by_kind.values() for row in rows]


def some_rows(folder: Folder, manifest: Manifest, seed: int) -> Iterator[dict[str, Any]]:
    """All rows of a few parts, shuffled by seed within each part."""
    shown = generator(seed, "report").permutation(len(manifest.parts))[:MAX_PARTS_SHOWN]
    for index in sorted(shown.tolist()):
        rows = read_part(folder, manifest.parts[index].file).to_pylist()
        for position in generator(seed, "report", index).permutation(len(rows)).tolist():
            yield rows[position]


def tiles_of(row: Mapping[str, Any], root: Path, folder: Folder | None = None) -> dict[str, Picture]:
    """What to show of a row of the manifest in ``folder``, by name, at most ``TILE_SIDE`` pixels to a side.

    Raises:
        RejectedError: its picture cannot be read.
    """
    if row["task"] == "concepts":
        picture = images.decode(images.read_bytes(root, row["image_uri"]), (row["width"], row["height"]))
        tiles = {"picture": picture, "objects": _with_concepts(picture, row)}
    else:
        sample = render(row, root, folder)
        more = {f"source {number}": picture for number, picture in enumerate(sample.more_sources, 2)}
        tiles = {"source": sample.source, **more, "target": sample.target}
        if sample.online:
            tiles["source"] = _labelled(fitted(sample.source, TILE_SIDE), f"{sample.online}: extracted online")
        if sample.mask is not None:
            tiles["mask and object"] = _with_mask(sample.target, sample.mask, row)
    return {name: fitted(tile, TILE_SIDE) for name, tile in tiles.items()}


def facts_of(row: Mapping[str, Any]) -> list[str]:
    """What to say of a row beside its caption, as short plain texts, the kind first."""
    if row["task"] == "concepts":
        return [f"{len(row['objects'])} objects", f"nouns: {', '.join(row['nouns'])}"]
    if row["task"] == "grounding":
        return [row["referring"], row["phrase"], row["color"], *(flag for flag in ("inverse", "negative") if row[flag])]
    if row["task"] in ("customized", "editing"):
        kind = [row["edit_type"]] if row["task"] == "editing" else [row["direction"], row["subject"] or "no name"]
        return kind + [f"{one['name']} {one['value']:g}" for one in row["scores"]]
    if row["task"] == "control":
        return [row["condition"], _origin(row)]
    return [
        row["mask_kind"],
        row["object_noun"] or ("no name" if row["object_rle"] else "no object"),
        f"{100 * row['mask_area']:.1f} % of the picture",
        f"largest IoU {row['max_object_iou']:.2f}",
        f"hides up to {100 * row['max_object_coverage']:.0f} % of an object",
    ]


def _origin(row: Mapping[str, Any]) -> str:
    """How the source of a control row is made."""
    if row["online"]:
        return "extracted online, when a batch is made"
    if row["condition"] == "canny":
        return f"thresholds {row['canny_low']} and {row['canny_high']}"
    by = "the dataset's own map" if row["map_hash"] is None else "precomputed"
    return f"{by}, {row['condition_width']} × {row['condition_height']} beside {row['width']} × {row['height']}"


def sheet_of(
    rows: Sequence[Mapping[str, Any]], root: Path, columns: int, folder: Folder | None = None
) -> PIL.Image.Image:
    """The rows' tiles with their facts and captions (for pairs and grounding: instructions), ``columns`` to a line.

    A row that cannot be shown is a grey tile, and says why.

    Raises:
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError("there are no samples to show")
    return contact_sheet.contact_sheet([_sheet_row(row, root, folder) for row in rows], across=columns)


def _sheet_row(row: Mapping[str, Any], root: Path, folder: Folder | None) -> contact_sheet.Row:
    shown = attempt(lambda: (tiles_of(row, root, folder), " · ".join(facts_of(row))))
    if isinstance(shown, RejectedError):
        return contact_sheet.Row({"picture": _NO_PICTURE}, (str(shown), str(row["caption"])))
    tiles, facts = shown
    return contact_sheet.Row(tiles, (facts, str(row["caption"])))


def fitted(picture: Picture, side: int) -> Picture:
    """The picture with its longer side at most ``side`` pixels; of half that or less, its pixels are drawn larger."""
    height, width = picture.shape[:2]
    if (times := side // max(height, width)) > 1:
        return picture.repeat(times, axis=0).repeat(times, axis=1)
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA)) if scale < 1 else picture


def _labelled(picture: Picture, words: str) -> Picture:
    """The picture under a dark band with words on it."""
    shown = picture.copy()
    shown[:_LABEL_HEIGHT] = shown[:_LABEL_HEIGHT] // 4
    place = (6, _LABEL_HEIGHT - 7)
    cv2.putText(shown, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return shown


def _with_mask(picture: Picture, mask: rle.Mask, row: Mapping[str, Any]) -> Picture:
    """The mask tinted red and the object's outline in yellow."""
    shown = _tinted(picture, mask, _MASK_COLOR)
    if row["object_rle"] is not None:
        _outline(shown, rle.decode(row["object_rle"], row["height"], row["width"]), _OBJECT_COLOR)
    return shown


def _with_concepts(picture: Picture, row: Mapping[str, Any]) -> Picture:
    shown = picture.copy()
    for number, item in enumerate(row["objects"]):
        color = _CONCEPT_COLORS[number % len(_CONCEPT_COLORS)]
        mask = rle.decode(item["rle"], row["height"], row["width"])
        shown = _tinted(shown, mask, color)
        _outline(shown, mask, color)
    return shown


def _tinted(picture: Picture, mask: rle.Mask, color: tuple[int, int, int]) -> Picture:
    shown, hidden = picture.copy(), mask.astype(bool)
    shown[hidden] = (0.5 * shown[hidden] + 0.5 * np.array(color)).astype(np.uint8)
    return shown


def _outline(picture: Picture, mask: rle.Mask, color: tuple[int, int, int]) -> None:
    contours = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    cv2.drawContours(picture, contours, -1, color, max(1, round(max(picture.shape) / 200)))
