"""The synthetic dataset in the format of COCO 2017 with COCO-Stuff's maps: things as polygons, grounds as stuff.

Categories keep COCO's ids, which have gaps; grounds have the ids of the stuff that they are drawn after, so the names
of COCO-Stuff's own list fit them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from cologen.datagen import rle
from cologen.datagen.randomness import generator
from cologen.datagen.rle import Mask
from cologen.datagen.world.formats.drawing import (
    SPLITS,
    Drawing,
    Progress,
    Split,
    World,
    each_scene,
    jpeg,
    png,
    save,
    silent,
)
from cologen.datagen.world.formats.tracing import polygons
from cologen.datagen.world.vocabulary import GROUND_CLASSES, OBJECT_CLASSES

NEVER_USED_IDS = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91})
"""Thing ids that no published annotation has (datasets.md)."""

THING_IDS: Mapping[str, int] = MappingProxyType(
    dict(zip(OBJECT_CLASSES, (id_ for id_ in range(1, 92) if id_ not in NEVER_USED_IDS), strict=False))
)

STUFF_IDS: Mapping[str, int] = MappingProxyType(
    {
        "grass": 124,
        "sand": 154,
        "water": 178,
        "brick": 171,
        "wood": 118,
        "snow": 159,
        "sky": 157,
        "gravel": 125,
        "carpet": 101,
        "tile": 117,
    }
)
"""Of each ground COCO-Stuff's id: brick is its wall-brick, wood its floor-wood, tile its floor-tile."""

_CROWD_SHARE = 0.5
"""Of the scenes where a shape occurs twice, how many have all of that shape as one crowd."""

_MAP_VALUES = np.array(
    [*(THING_IDS[name] - 1 for name in OBJECT_CLASSES), *(STUFF_IDS[name] - 1 for name in GROUND_CLASSES)],
    dtype=np.uint8,
)
_DATE = "2000-01-01 00:00:00"
_INFO = {
    "description": "The synthetic world in the layout of COCO 2017.",
    "url": "http://world.invalid",
    "version": "1.0",
    "year": 2000,
    "contributor": "CoLoGen",
    "date_created": _DATE,
}
_LICENSES = [{"url": "http://www.apache.org/licenses/LICENSE-2.0", "id": 1, "name": "Apache License 2.0"}]

Row = tuple[Split, dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]
"""Split, image, instances, captions."""


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``annotations/``, ``{train,val}2017/`` and ``stuffthingmaps_trainval2017/``."""
    rows = list(each_scene(world, partial(_draw, root), workers=workers, progress=progress))
    categories = [{"supercategory": "shape", "id": id_, "name": name} for name, id_ in THING_IDS.items()]
    for split in SPLITS:
        mine = [row for row in rows if row[0] == split]
        head = {"info": _INFO, "licenses": _LICENSES, "images": [image for _, image, _, _ in mine]}
        instances = {**head, "annotations": _joined(row[2] for row in mine), "categories": categories}
        captions = {**head, "annotations": _joined(row[3] for row in mine)}
        save(root / f"annotations/instances_{split}2017.json", json.dumps(instances))
        save(root / f"annotations/captions_{split}2017.json", json.dumps(captions))


def stuff_map(class_map: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """A rendering's class map in the values of COCO-Stuff's PNGs: the id less one."""
    return _MAP_VALUES[class_map]


def _draw(root: Path, drawing: Drawing) -> Row:
    split, image_id = drawing.split, drawing.index + 1
    folder, name = f"{split}2017", f"{image_id:012d}"
    save(root / folder / f"{name}.jpg", jpeg(drawing.rendering.picture))
    save(root / f"stuffthingmaps_trainval2017/{folder}/{name}.png", png(stuff_map(drawing.rendering.class_map)))
    image = {
        "license": 1,
        "file_name": f"{name}.jpg",
        "coco_url": f"http://world.invalid/{folder}/{name}.jpg",
        "height": drawing.world.height,
        "width": drawing.world.width,
        "date_captured": _DATE,
        "flickr_url": f"http://world.invalid/{name}.jpg",
        "id": image_id,
    }
    captions = [
        {"image_id": image_id, "id": image_id * 100 + i, "caption": caption}
        for i, caption in enumerate(drawing.captions)
    ]
    return split, image, _instances(drawing, image_id), captions


def _instances(drawing: Drawing, image_id: int) -> list[dict[str, Any]]:
    crowd = _crowd_shape(drawing)
    shown = [
        (i, thing.shape, mask)
        for i, (thing, mask) in enumerate(zip(drawing.scene.objects, drawing.rendering.masks, strict=True))
        if mask.any()
    ]
    things = [_thing(mask, shape, image_id, i) for i, shape, mask in shown if shape != crowd]
    crowds = [_crowd([mask for _, shape, mask in shown if shape == crowd], crowd, image_id)] if crowd else []
    return things + crowds


def _crowd_shape(drawing: Drawing) -> str | None:
    shape, count = Counter(thing.shape for thing in drawing.scene.objects).most_common(1)[0]
    draw = generator(drawing.world.seed, "coco", drawing.index, "crowd")
    return shape if count > 1 and draw.random() < _CROWD_SHARE else None


def _thing(mask: Mask, shape: str, image_id: int, rank: int) -> dict[str, Any]:
    x, y, width, height = (float(side) for side in cv2.boundingRect(mask))
    return {
        "segmentation": polygons(mask),
        "area": float(mask.sum()),
        "iscrowd": 0,
        "image_id": image_id,
        "bbox": [x, y, width, height],
        "category_id": THING_IDS[shape],
        "id": image_id * 100 + rank,
    }


def _crowd(masks: list[Mask], shape: str, image_id: int) -> dict[str, Any]:
    """A group as COCO has it: uncompressed run lengths, whole numbers, and an id made of 9, category and image."""
    mask = np.bitwise_or.reduce(masks)
    return {
        "segmentation": {"counts": [int(run) for run in rle.runs(rle.encode(mask))], "size": [*mask.shape]},
        "area": int(mask.sum()),
        "iscrowd": 1,
        "image_id": image_id,
        "bbox": [*cv2.boundingRect(mask)],
        "category_id": THING_IDS[shape],
        "id": (9000 + THING_IDS[shape]) * 10**8 + image_id,
    }


def _joined(lists: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [item for items in lists for item in items]
