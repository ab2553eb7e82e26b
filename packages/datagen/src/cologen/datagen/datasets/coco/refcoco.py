"""RefCOCO, RefCOCO+ and RefCOCOg in refer's format: pictures of COCO 2014 with what people called their objects."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from cologen.datagen import images
from cologen.datagen.datasets.coco import rows as coco_rows
from cologen.datagen.datasets.coco.objects import read_objects
from cologen.datagen.datasets.coco.refcoco_expressions import read_expressions, reject_refs
from cologen.datagen.datasets.coco.refcoco_listing import LOST, list_referred
from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.index import open_index
from cologen.datagen.datasets.files.readings import Dataset, IndexedDataset, Reading
from cologen.datagen.datasets.files.requirements import require_file, require_split
from cologen.datagen.images import addresses
from cologen.datagen.records import Image

RefName = Literal["refcoco", "refcoco+", "refcocog"]

_IMAGES = "images/mscoco/images/train2014"
_REFS: Mapping[RefName, str] = MappingProxyType(
    {"refcoco": "refs(unc).p", "refcoco+": "refs(unc).p", "refcocog": "refs(umd).p"}
)
_UNC_SPLITS = ("train", "val", "testA", "testB", "test")
_UMD_SPLITS = ("train", "val", "test")


def open_refcoco(root: Path, split: str = "train", name: RefName = "refcoco") -> Dataset[Image]:
    """``<name>/{refs(…).p,instances.json}`` with the pictures under ``images/mscoco/images/train2014``.

    A row is a picture with all its annotated objects, and an expression for each sentence of the split that means one
    of them, in the order of COCO's ids. Split ``test`` of the first two is ``testA`` (people) and ``testB`` (other
    things) together.

    Raises:
        FileNotFoundError: the root, a file of it, or every picture of the split is missing.
        ValueError: an unknown name or split, malformed files, or a pickle that holds more than data.
    """
    if name not in _REFS:
        raise ValueError(f"no dataset {name!r}: expected {' or '.join(map(repr, _REFS))}")
    splits = _UMD_SPLITS if name == "refcocog" else _UNC_SPLITS
    require_split(name, split, dict(zip(splits, splits, strict=True)))
    refs = require_file(root / name / _REFS[name], root)
    instances = require_file(root / name / "instances.json", root)
    rows = open_index(root, [instances, refs], [name, split], partial(list_referred, instances, refs, split))
    interpret = partial(_interpret, name, root, split, rows.constants["categories"])
    return IndexedDataset(name=name, rows=rows, interpret=interpret, annotated=True)


def _interpret(name: str, root: Path, split: str, nouns: dict[str, str], key: str, payload: bytes) -> Reading[Image]:
    row = coco_rows.unpacked(payload)
    sample_id, refs = f"{name}/{key}", fields.items(row, "refs")
    if row.get("image") is None:
        why = "expected a split and an image_id" if key == LOST else f"instances.json lists no picture {int(key)}"
        return Reading(item=None, rejections=reject_refs(sample_id, refs, why))
    image = fields.record(row, "image")
    # The file name that the refs themselves carry ends in a number that no file has.
    uri = addresses.address(f"{_IMAGES}/{fields.text(image, 'file_name')}")
    size = images.probe(root, uri, (fields.pixels(image, "width"), fields.pixels(image, "height")))
    annotated = read_objects(sample_id, row, nouns, size)
    expressions, bad_expressions = read_expressions(sample_id, refs, annotated.places)
    return Reading(
        item=Image(
            image_id=key, image_uri=uri, width=size[0], height=size[1], split=split,
            objects=annotated.objects, expressions=expressions, partial_nouns=annotated.partial_nouns,
        ),
        rejections=annotated.rejections + bad_expressions,
    )  # fmt: skip
