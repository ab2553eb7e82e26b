"""The synthetic dataset as LVIS v1: pictures that say which categories they lack and which they annotate in part."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from cologen.datagen.randomness import generator
from cologen.datagen.world.formats.coco_records import LICENSES, Record, info, picture, thing
from cologen.datagen.world.formats.drawing import (
    SPLITS,
    Drawing,
    Progress,
    Split,
    World,
    each_scene,
    jpeg,
    save,
    silent,
)
from cologen.datagen.world.vocabulary import OBJECT_CLASSES, SHAPES

CATEGORY_IDS: Mapping[str, int] = MappingProxyType({name: id_ for id_, name in enumerate(sorted(OBJECT_CLASSES), 1)})
"""Ids from 1 in alphabetical order, as LVIS has them."""

NAMES: Mapping[str, str] = MappingProxyType({"drop": "drop_(liquid)", "star": "star_(shape)"})
"""Names with brackets, by which LVIS tells the meanings of a word apart."""

MAX_ABSENT = 6
_PARTIAL_SHARE = 0.5
"""Of the shapes that occur several times in a scene, how many are annotated in part."""

_RARE, _COMMON = 10, 100
"""Up to so many training pictures a category is rare (r), then common (c), then frequent (f)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    split: Split
    image: Record
    annotations: list[Record]


def write(root: Path, world: World, *, workers: int = 1, progress: Progress = silent) -> None:
    """``lvis_v1_{train,val}.json`` and ``{train,val}2017/``."""
    rows = list(each_scene(world, partial(_draw, root), workers=workers, progress=progress))
    categories = _categories([row for row in rows if row.split == "train"])
    for split in SPLITS:
        mine = [row for row in rows if row.split == split]
        annotations = [annotation for row in mine for annotation in row.annotations]
        # The sections stand in the published order, which no reader should rely on.
        content = {
            "info": info("LVIS v1"),
            "annotations": annotations,
            "images": [row.image for row in mine],
            "licenses": LICENSES,
            "categories": categories,
        }
        save(root / f"lvis_v1_{split}.json", json.dumps(content))


def partial_shapes(drawing: Drawing) -> frozenset[str]:
    """The shapes of which one object is left without annotation; each occurs twice at least."""
    counts = Counter(drawing.scene.objects[rank].shape for rank in _visible(drawing))
    draw = generator(drawing.world.seed, "lvis", drawing.index, "partial")
    return frozenset(shape for shape in sorted(counts) if counts[shape] > 1 and draw.random() < _PARTIAL_SHARE)


def absent_shapes(drawing: Drawing) -> list[str]:
    """Some of the shapes that are not in the scene, in alphabetical order."""
    missing = sorted(set(SHAPES) - {thing.shape for thing in drawing.scene.objects})
    draw = generator(drawing.world.seed, "lvis", drawing.index, "absent")
    chosen = draw.permutation(len(missing))[: draw.integers(1, MAX_ABSENT, endpoint=True)]
    return [missing[place] for place in sorted(chosen.tolist())]


def folder_of(drawing: Drawing) -> str:
    """LVIS has its own splits: every second picture of ``val`` is one of COCO's training pictures."""
    return "train2017" if drawing.split == "train" or drawing.index // 10 % 2 else "val2017"


def _draw(root: Path, drawing: Drawing) -> _Row:
    path = f"{folder_of(drawing)}/{drawing.index + 1:012d}.jpg"
    save(root / path, jpeg(drawing.rendering.picture))
    in_part = partial_shapes(drawing)
    image = {
        **picture(drawing, path),
        "not_exhaustive_category_ids": [CATEGORY_IDS[shape] for shape in sorted(in_part)],
        "neg_category_ids": [CATEGORY_IDS[shape] for shape in absent_shapes(drawing)],
    }
    return _Row(split=drawing.split, image=image, annotations=list(_annotations(drawing, in_part)))


def _annotations(drawing: Drawing, in_part: frozenset[str]) -> Iterable[Record]:
    """All visible things, except the first of each shape that is annotated in part."""
    left_out = set(in_part)
    for rank in _visible(drawing):
        shape = drawing.scene.objects[rank].shape
        if shape in left_out:
            left_out.remove(shape)
        else:
            yield thing(drawing, rank, CATEGORY_IDS[shape])


def _visible(drawing: Drawing) -> list[int]:
    return [rank for rank, mask in enumerate(drawing.rendering.masks) if mask.any()]


def _categories(training: list[_Row]) -> list[Record]:
    instances = Counter(annotation["category_id"] for row in training for annotation in row.annotations)
    images = Counter(id_ for row in training for id_ in {annotation["category_id"] for annotation in row.annotations})
    return [
        {
            "image_count": images[id_],
            "def": f"a thing in the shape of a {shape}",
            "synonyms": [NAMES.get(shape, shape)],
            "frequency": "r" if images[id_] <= _RARE else "c" if images[id_] <= _COMMON else "f",
            "synset": f"{shape}.n.01",
            "name": NAMES.get(shape, shape),
            "id": id_,
            "instance_count": instances[id_],
        }
        for shape, id_ in CATEGORY_IDS.items()
    ]
