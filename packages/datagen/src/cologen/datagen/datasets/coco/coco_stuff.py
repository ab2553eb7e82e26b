"""COCO-Stuff 164k: COCO's pictures, captions and instances, and the stuff maps where they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from cologen.datagen import images
from cologen.datagen.datasets.coco import rows as coco_rows
from cologen.datagen.datasets.coco import stuff_classes
from cologen.datagen.datasets.coco.listing import list_pictures
from cologen.datagen.datasets.coco.objects import read_objects
from cologen.datagen.datasets.coco.orphans import ORPHANS, reject_orphans
from cologen.datagen.datasets.files import fields, regions
from cologen.datagen.datasets.files.index import open_index
from cologen.datagen.datasets.files.readings import Dataset, IndexedDataset, Reading, survivors
from cologen.datagen.datasets.files.requirements import first_folder, require_file, require_split
from cologen.datagen.images import addresses
from cologen.datagen.records import Image, ObjectMask, Reason, RejectedError, Rejection

_Part = TypeVar("_Part")

NAME = "cocostuff"
_SPLITS = {"train": "train2017", "val": "val2017"}
_STUFF_FOLDERS = ("stuffthingmaps_trainval2017", "stuffthingmaps", "annotations")


def open_cocostuff(root: Path, split: str = "train", stuff: bool = False) -> Dataset[Image]:
    """``{train,val}2017/*.jpg`` with ``annotations/{instances,captions}_*.json``, in the order of COCO's ids.

    With ``stuff``, each connected region of a stuff class is an object too (``stuffthingmaps_trainval2017``). The
    fingerprint covers the annotation files, not the stuff maps.

    Raises:
        FileNotFoundError: the root or a file of annotations is missing.
        ValueError: an unknown split, or malformed annotation files.
    """
    folder = require_split(NAME, split, _SPLITS)
    instances = require_file(root / "annotations" / f"instances_{folder}.json", root)
    captions = require_file(root / "annotations" / f"captions_{folder}.json", root)
    maps = first_folder(root, [f"{name}/{folder}" for name in _STUFF_FOLDERS]) if stuff else None
    options = [NAME, split, *(["stuff"] if maps else [])]
    rows = open_index(root, [instances, captions], options, partial(list_pictures, instances, captions))
    picture = _Picture(
        root=root, split=split, images=folder, stuff=maps and maps.relative_to(root).as_posix(),
        nouns=rows.constants["categories"],
    )  # fmt: skip
    return IndexedDataset(name=NAME, rows=rows, interpret=picture.reading, annotated=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """Interprets a row; ``images`` and ``stuff`` are the split's folders, ``nouns`` the category names by id."""

    root: Path
    split: str
    images: str
    stuff: str | None
    nouns: dict[str, str]

    def reading(self, key: str, payload: bytes) -> Reading[Image]:
        """The picture with its captions and objects; a picture without any usable caption is rejected."""
        if key.startswith(ORPHANS):
            return reject_orphans(NAME, payload)
        row = coco_rows.unpacked(payload)
        image = fields.record(row, "image")
        path = f"{self.images}/{fields.text(image, 'file_name')}"
        uri = addresses.address(path)
        size = images.probe(self.root, uri, (fields.pixels(image, "width"), fields.pixels(image, "height")))
        sample_id = f"{NAME}/{key}"
        captions, bad_captions = survivors(sample_id, _named(row, "captions", "caption-", _caption))
        if not captions:
            reason = bad_captions[0].reason if bad_captions else Reason.NULL_CAPTION
            raise RejectedError(reason, f"{len(bad_captions)} captions, none that can be used")
        annotated = read_objects(sample_id, row, self.nouns, size)
        stuff, bad_stuff = self._stuff_objects(sample_id, path, size)
        return Reading(
            item=Image(
                image_id=key, image_uri=uri, width=size[0], height=size[1], split=self.split,
                captions=captions, objects=annotated.objects + stuff,
            ),
            rejections=bad_captions + annotated.rejections + bad_stuff,
        )  # fmt: skip

    def _stuff_objects(
        self, sample_id: str, path: str, size: tuple[int, int]
    ) -> tuple[tuple[ObjectMask, ...], tuple[Rejection, ...]]:
        if self.stuff is None:
            return (), ()
        map_uri = addresses.address(f"{self.stuff}/{Path(path).stem}.png")
        found, rejections = survivors(sample_id, [("stuff", partial(_stuff_of, self.root, map_uri, size))])
        return tuple(mask for masks in found for mask in masks), rejections


def _named(
    row: fields.Record, name: str, prefix: str, make: Callable[[object], _Part]
) -> Iterator[tuple[str, Callable[[], _Part]]]:
    """Each element of array ``name`` under its own id, or its place where it has none."""
    for place, value in enumerate(fields.items(row, name)):
        yield prefix + fields.identity(value, place), partial(make, value)


def _caption(value: object) -> str:
    words = fields.words(fields.as_record(value, "caption").get("caption"))
    if not words:
        raise RejectedError(Reason.NULL_CAPTION, "no words")
    return words


def _stuff_of(root: Path, uri: str, size: tuple[int, int]) -> tuple[ObjectMask, ...]:
    labels = images.decode_map(images.read_bytes(root, uri), size)
    if labels.ndim != 2:
        raise RejectedError(Reason.UNSUPPORTED_MODE, f"{uri}: expected one channel, found {labels.shape[2]}")
    found: list[ObjectMask] = []
    for value in regions.values(labels):
        # Values below those of stuff are things, which the instances hold in more detail; 255 is void.
        noun = stuff_classes.noun_of(value)
        if noun is not None:
            found.extend(regions.connected((labels == value).astype(np.uint8), noun, "stuff"))
    return tuple(found)
