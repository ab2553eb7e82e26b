"""The synthetic dataset in ADE20K's full form of 2021: beside every picture a JSON of objects and parts, and masks.

The annotation has the loose types of the real one: ``occluded`` is a list or a word, ``attributes`` a list or a
string, and ``hasparts`` and ``ispartof`` are lists unless they hold exactly one id, which then stands alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from cologen.datagen.randomness import generator
from cologen.datagen.rle import Mask
from cologen.datagen.world.formats.ade20k_classes import PARTS, full_index, label_map
from cologen.datagen.world.formats.captioned_ade20k import FOLDERS, CaptionedRow, file_name, write_captions
from cologen.datagen.world.formats.drawing import Drawing, Progress, World, each_scene, jpeg, png, save, silent

IMAGES = "ADE20K_2021_17_01/images/ADE"
VISIBLE, OCCLUDED = 255, 128

_GROUP = "shapes"
_NUM_PARTS_WEIGHTS = (0.5, 0.25, 0.25)
_DATE = "01-Jan-2000 00:00:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of ``object``: a whole thing, the ground, or a part of the entry whose id is ``whole``."""

    id: int
    name: str
    visible: Mask
    full: Mask
    attributes: tuple[str, ...] = ()
    whole: int | None = None


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``ADE20K_2021_17_01/images/ADE/{training,validation}/shapes/<ground>/`` and ``Captioned_ADE20K/``."""
    write_captions(root, each_scene(world, partial(_draw, root), workers=workers, progress=progress))


def entries(drawing: Drawing) -> list[Entry]:
    """Whole things from front to back, then the ground, then the parts that some things have."""
    rendering = drawing.rendering
    wholes = [
        Entry(id=i, name=thing.shape, visible=visible, full=full, attributes=(thing.color, thing.texture))
        for i, (thing, visible, full) in enumerate(
            reversed([*zip(drawing.scene.objects, rendering.masks, rendering.full_masks, strict=True)])
        )
    ]
    bare = (rendering.instance_map == 0).astype(np.uint8)
    ground = Entry(id=len(wholes), name=drawing.scene.ground, visible=bare, full=np.ones_like(bare))
    parts: list[Entry] = []
    for whole in wholes:
        draw = generator(drawing.world.seed, "ade20k_full", drawing.index, "parts", whole.id)
        for name in PARTS[: draw.choice(len(PARTS) + 1, p=_NUM_PARTS_WEIGHTS)]:
            parts.append(_part(whole, name, len(wholes) + 1 + len(parts)))
    return [*wholes, ground, *(part for part in parts if part.visible.any())]


def colored(masks: Sequence[tuple[str, Mask]]) -> UInt8[np.ndarray, "height width 3"]:
    """Named masks in the code of ``_seg`` and ``_parts`` PNGs, later ones on top.

    Red // 10 * 256 + green is the class, and blue grows with the place among the masks: 255 times its share of them.
    """
    picture = np.zeros((*masks[0][1].shape, 3), dtype=np.uint8)
    for place, (name, mask) in enumerate(masks, 1):
        high, low = divmod(full_index(name), 256)
        picture[mask.astype(bool)] = (high * 10, low, (2 * 255 * place + len(masks)) // (2 * len(masks)))
    return picture


def _draw(root: Path, drawing: Drawing) -> CaptionedRow:
    name, picture = file_name(drawing), jpeg(drawing.rendering.picture)
    folder = root / IMAGES / FOLDERS[drawing.split] / _GROUP / drawing.scene.ground
    found = entries(drawing)
    # Blue counts from the back, unlike the ids.
    wholes = [(entry.name, entry.visible) for entry in reversed(found) if entry.whole is None]
    parts = [(entry.name, entry.visible) for entry in found if entry.whole is not None]
    save(folder / f"{name}.jpg", picture)
    save(folder / f"{name}_seg.png", png(colored(wholes)))
    if parts:
        save(folder / f"{name}_parts_1.png", png(colored(parts)))
    for entry in found:
        mask = np.where(entry.visible, np.uint8(VISIBLE), entry.full * np.uint8(OCCLUDED))
        save(folder / _instance_path(name, entry), png(mask))
    annotation = _annotation(name, folder.relative_to(root).as_posix(), found, drawing)
    save(folder / f"{name}.json", json.dumps({"annotation": annotation}))
    labels = label_map(drawing.rendering.class_map)
    return CaptionedRow(split=drawing.split, name=name, jpeg=picture, labels=labels, captions=drawing.captions)


def _annotation(name: str, folder: str, found: Sequence[Entry], drawing: Drawing) -> dict[str, Any]:
    return {
        "filename": f"{name}.jpg",
        "folder": folder,
        "imsize": [*drawing.rendering.picture.shape],
        "source": {"folder": "synthetic_world", "filename": str(drawing.index), "origin": "Drawn by CoLoGen."},
        "scene": ["outdoor", _GROUP, drawing.scene.ground],
        "object": [_object(name, entry, found, drawing) for entry in found],
    }


def _object(picture: str, entry: Entry, found: Sequence[Entry], drawing: Drawing) -> dict[str, Any]:
    draw = generator(drawing.world.seed, "ade20k_full", drawing.index, "annotation", entry.id)
    hidden = "yes" if entry.full.sum() > entry.visible.sum() else "no"
    x, y = _polygon(entry.full)
    return {
        "id": entry.id,
        "name": entry.name,
        "name_ndx": full_index(entry.name),
        "hypernym": [] if entry.whole is not None else [entry.name, "object, physical object", "entity"],
        "raw_name": entry.name,
        "attributes": ([], entry.attributes[0] if entry.attributes else [], [*entry.attributes])[draw.integers(3)],
        "depth_ordering_rank": entry.id + 1,
        "occluded": [] if draw.random() < 1 / 3 else hidden,
        "crop": "1" if _touches_edge(entry.full) else "0",
        "parts": {
            "hasparts": _alone([part.id for part in found if part.whole == entry.id]),
            "ispartof": _alone([] if entry.whole is None else [entry.whole]),
            "part_level": 0 if entry.whole is None else 1,
        },
        "instance_mask": _instance_path(picture, entry),
        "polygon": {"x": x, "y": y, "click_date": []},
        "saved_date": _DATE,
    }


def _part(whole: Entry, name: str, id_: int) -> Entry:
    y, height = cv2.boundingRect(whole.full)[1::2]
    rows = slice(None, y + height // 2) if name == "top" else slice(y + height // 2, None)
    half = np.zeros_like(whole.full)
    half[rows] = 1
    return Entry(id=id_, name=name, visible=whole.visible & half, full=whole.full & half, whole=whole.id)


def _polygon(mask: Mask) -> tuple[list[int], list[int]]:
    """The outline of the largest piece, in whole pixels: x and y apart."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outline = max(contours, key=cv2.contourArea).reshape(-1, 2)
    return [int(x) for x in outline[:, 0]], [int(y) for y in outline[:, 1]]


def _touches_edge(mask: Mask) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def _alone(ids: list[int]) -> list[int] | int:
    return ids[0] if len(ids) == 1 else ids


def _instance_path(picture: str, entry: Entry) -> str:
    return f"{picture}/instance_{entry.id:03d}_{picture}.png"
