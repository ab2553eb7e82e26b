"""COCO-Stuff 164k: COCO's pictures, captions and instances, and the stuff maps where they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from cologen.datagen import images
from cologen.datagen.datasets.coco import rows, stuff_classes
from cologen.datagen.datasets.coco.listing import list_pictures
from cologen.datagen.datasets.coco.objects import read_objects
from cologen.datagen.datasets.coco.orphans import ORPHANS, reject_orphans
from cologen.datagen.datasets.files import fields, regions
from cologen.datagen.datasets.files.index import open_index
from cologen.datagen.datasets.files.readings import read_row, survivors
from cologen.datagen.datasets.files.requirements import first_folder, require_file, require_split
from cologen.datagen.images import addresses
from cologen.datagen.records import Image, ObjectMask, Reading, Reason, RejectedError, Rejection

_Part = TypeVar("_Part")

_SPLITS = {"train": "train2017", "val": "val2017"}
_STUFF_FOLDERS = ("stuffthingmaps_trainval2017", "stuffthingmaps", "annotations")


class COCOStuff:
    """``{train,val}2017/*.jpg`` with ``annotations/{instances,captions}_*.json``.

    With ``stuff``, each connected region of a stuff class is an object too (``stuffthingmaps_trainval2017``).

    Raises:
        FileNotFoundError: the root or a file of annotations is missing.
        ValueError: an unknown split, or malformed annotation files.
    """

    name = "cocostuff"
    annotated = True

    def __init__(self, root: Path, split: str = "train", stuff: bool = False) -> None:
        self._root, self._split = root, split
        self._images = require_split(self.name, split, _SPLITS)
        instances = require_file(root / "annotations" / f"instances_{self._images}.json", root)
        captions = require_file(root / "annotations" / f"captions_{self._images}.json", root)
        self._stuff = self._stuff_folder() if stuff else None
        build = partial(list_pictures, instances, captions)
        self._rows = open_index(root, [instances, captions], [self.name, split], build)
        self._nouns: dict[str, str] = self._rows.constants["categories"]

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, index: int) -> Reading:
        """The picture at ``index`` in the order of COCO's ids."""
        return read_row(self.name, self._rows, index, self._interpret)

    def fingerprint(self) -> str:
        """A hash of the content of the annotation files; stuff maps are not looked into."""
        return f"{self._rows.fingerprint}{'-stuff' if self._stuff else ''}"

    def _stuff_folder(self) -> str:
        folder = first_folder(self._root, [f"{name}/{self._images}" for name in _STUFF_FOLDERS])
        return folder.relative_to(self._root).as_posix()

    def _interpret(self, key: str, payload: bytes) -> Reading:
        if key.startswith(ORPHANS):
            return reject_orphans(self.name, payload)
        row = rows.unpacked(payload)
        image = fields.record(row, "image")
        path = f"{self._images}/{fields.text(image, 'file_name')}"
        uri = addresses.address(path)
        size = images.probe(self._root, uri, (fields.pixels(image, "width"), fields.pixels(image, "height")))
        sample_id = f"{self.name}/{key}"
        captions, bad_captions = survivors(sample_id, _named(row, "captions", "caption-", _caption))
        if not captions:
            reason = bad_captions[0].reason if bad_captions else Reason.NULL_CAPTION
            raise RejectedError(reason, f"{len(bad_captions)} captions, none that can be used")
        annotated = read_objects(sample_id, row, self._nouns, size)
        stuff, bad_stuff = self._stuff_objects(sample_id, path, size)
        return Reading(
            image=Image(
                image_id=key, image_uri=uri, width=size[0], height=size[1], split=self._split,
                captions=captions, objects=annotated.objects + stuff,
            ),
            rejections=bad_captions + annotated.rejections + bad_stuff,
        )  # fmt: skip

    def _stuff_objects(
        self, sample_id: str, path: str, size: tuple[int, int]
    ) -> tuple[tuple[ObjectMask, ...], tuple[Rejection, ...]]:
        if self._stuff is None:
            return (), ()
        map_uri = addresses.address(f"{self._stuff}/{Path(path).stem}.png")
        found, rejections = survivors(sample_id, [("stuff", partial(_stuff_of, self._root, map_uri, size))])
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
        # Below the stuff lie the things, which the instances know better; 255 is void.
        noun = stuff_classes.noun_of(value)
        if noun is not None:
            found.extend(regions.connected((labels == value).astype(np.uint8), noun, "stuff"))
    return tuple(found)
