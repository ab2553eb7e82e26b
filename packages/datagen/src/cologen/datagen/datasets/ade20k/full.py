"""ADE20K in its full form of 2021 (``ADE20K_2021_17_01``): a JSON, a segmentation and instance masks per picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from cologen.datagen import images
from cologen.datagen.datasets.ade20k import captions as ade20k_captions
from cologen.datagen.datasets.ade20k.classes import NOUNS, STUFF, noun_of
from cologen.datagen.datasets.ade20k.full_masks import ObjectMasks
from cologen.datagen.datasets.files import fields, regions
from cologen.datagen.datasets.files.index import Listing, encodable, open_index
from cologen.datagen.datasets.files.readings import Dataset, IndexedDataset, Reading, survivors
from cologen.datagen.datasets.files.requirements import first_folder, require_split
from cologen.datagen.records import Image, ObjectMask, Reason, RejectedError

NAME = "ade20k"
_SPLITS = {"train": "training", "val": "validation"}
RELEASE = "ADE20K_2021_17_01"

_STUFF_NOUNS = frozenset(NOUNS[value - 1] for value in STUFF)


def open_full(root: Path, split: str = "train", captions: Path | None = None) -> Dataset[Image]:
    """``images/ADE/{training,validation}/GROUP/SCENE/NAME.{jpg,json}`` with ``NAME_seg.png`` or instance masks.

    Objects are those of part level 0, by the pixels that are seen of them. Captions: see ``ade20k.captions``;
    ``captions`` is the folder ``Captioned_ADE20K``, looked for in and beside the root where it is not given. Pictures
    come in the order of file names; the fingerprint covers their paths and the caption files, not the files beside
    each picture.

    Raises:
        FileNotFoundError: the root or the split's folder is missing.
        ValueError: an unknown split.
    """
    folder = require_split(NAME, split, _SPLITS)
    pictures = first_folder(root, [f"images/ADE/{folder}", f"{RELEASE}/images/ADE/{folder}"])
    # A picture without its JSON, or a JSON without its picture, is listed too: to be rejected, not overlooked.
    files = (path for path in pictures.glob("*/*/*") if path.suffix in (".jpg", ".json"))
    stems = sorted({encodable(path.relative_to(root).with_suffix("").as_posix()) for path in files})
    captioned = ade20k_captions.find_caption_files(captions, root, root.parent)
    rows = open_index(root, captioned, [NAME, "full", split, *stems], partial(_list_pictures, stems, captioned))
    return IndexedDataset(name=NAME, rows=rows, interpret=partial(_interpret, root, split), annotated=True)


def _interpret(root: Path, split: str, key: str, payload: bytes) -> Reading[Image]:
    row = fields.parse_record(payload)
    stem = fields.text(row, "stem")
    document = fields.parse_record(images.read_bytes(root, f"{stem}.json"))
    annotation = fields.record(document, "annotation")
    size = images.probe(root, f"{stem}.jpg", _annotated_size(annotation))
    masks = ObjectMasks(root, stem, size)
    objects, rejections = survivors(f"{NAME}/{key}", _parts(annotation, masks))
    image = Image(
        image_id=key, image_uri=f"{stem}.jpg", width=size[0], height=size[1], split=split,
        captions=(ade20k_captions.caption_of(row, objects),), objects=objects,
    )  # fmt: skip
    return Reading(item=image, rejections=rejections)


def _parts(annotation: fields.Record, masks: ObjectMasks) -> Iterator[tuple[str, Callable[[], ObjectMask]]]:
    for place, entry in enumerate(fields.items(annotation, "object")):
        if _is_whole(entry):
            yield f"object-{fields.identity(entry, place)}", partial(_object, entry, masks)


def _object(entry: object, masks: ObjectMasks) -> ObjectMask:
    item = fields.as_record(entry, "object")
    noun = noun_of(fields.words(item.get("name")))
    if not noun:
        raise RejectedError(Reason.MALFORMED_RECORD, "object without a name")
    return regions.whole(masks.visible(item), noun, "stuff" if noun in _STUFF_NOUNS else "thing")


def _annotated_size(annotation: fields.Record) -> tuple[int, int]:
    """(width, height) from ``imsize``: height, width and channels."""
    sides = fields.items(annotation, "imsize")[:2]
    if len(sides) != 2:
        raise RejectedError(Reason.MALFORMED_RECORD, f"imsize: expected height and width, found {fields.shown(sides)}")
    size = {"imsize[0]": sides[0], "imsize[1]": sides[1]}
    return fields.pixels(size, "imsize[1]"), fields.pixels(size, "imsize[0]")


def _is_whole(entry: object) -> bool:
    """Whether an object is no part of another. What is not even an object stays in, to be rejected by name."""
    parts = entry.get("parts") if isinstance(entry, dict) else None
    return not isinstance(parts, dict) or str(parts.get("part_level", 0)) == "0"


def _list_pictures(stems: list[str], captioned: list[Path]) -> Listing:
    captions = ade20k_captions.read_captions(captioned)
    return Listing(rows=(_row(stem, captions) for stem in stems))


def _row(stem: str, captions: dict[str, str | None]) -> tuple[str, bytes]:
    *_, scene, name = stem.split("/")
    caption = {"caption": captions[name]} if name in captions else {}
    return name, json.dumps({"stem": stem, "scene": scene, **caption}).encode()
