"""ADE20K in the form of its challenges (``ADEChallengeData2016``)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from cologen.datagen import images
from cologen.datagen.datasets.ade20k import captions as ade20k_captions
from cologen.datagen.datasets.ade20k.classes import Classes, class_files, read_classes
from cologen.datagen.datasets.files import fields, regions, text_files
from cologen.datagen.datasets.files.index import Listing, Row, encodable, open_index
from cologen.datagen.datasets.files.readings import Dataset, IndexedDataset, Reading, survivors
from cologen.datagen.datasets.files.requirements import first_folder, require_split
from cologen.datagen.records import Image, ObjectMask, Reason, RejectedError

NAME = "ade20k"
_SPLITS = {"train": "training", "val": "validation"}
RELEASE = "ADEChallengeData2016"

_Objects = tuple[ObjectMask, ...]


def open_challenge(root: Path, split: str = "train", captions: Path | None = None) -> Dataset[Image]:
    """``images/{training,validation}/*.jpg`` with label maps, instance maps if there are any, and scenes.

    With instance maps, things come from them; without, each connected region of a thing's class is one object. The
    other classes are stuff. Captions: see ``ade20k.captions``; ``captions`` is the folder ``Captioned_ADE20K``, looked
    for in and beside the root where it is not given. Pictures come in the order of file names; the fingerprint covers
    these names and the tables beside the pictures, not the maps.

    Raises:
        FileNotFoundError: the root or one of its folders is missing.
        ValueError: an unknown split, or a table that is damaged or no UTF-8.
    """
    folder = require_split(NAME, split, _SPLITS)
    pictures = first_folder(root, [f"images/{folder}", f"{RELEASE}/images/{folder}"])
    base = pictures.parent.parent
    labels = first_folder(base, [f"annotations/{folder}"])
    instances = base / "annotations_instance" / folder
    folders = {"image": pictures, "labels": labels}
    if instances.is_dir():
        folders["instances"] = instances
    # A label map without its picture is listed too: to be rejected, not overlooked.
    names = sorted({encodable(path.stem) for path in (*pictures.glob("*.jpg"), *labels.glob("*.png"))})
    scenes = base / "sceneCategories.txt"
    captioned = ade20k_captions.find_caption_files(captions, root, base, root.parent)
    tables = [*captioned, *filter(Path.is_file, [scenes, *class_files(base)])]
    picture = _Picture(root=root, split=split, folders=folders, classes=read_classes(base))
    options = [NAME, "challenge", split, *folders, *names]
    rows = open_index(root, tables, options, partial(_list_pictures, names, scenes, captioned))
    return IndexedDataset(name=NAME, rows=rows, interpret=picture.reading, annotated=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """Interprets a row; ``folders`` are those of pictures, label maps and perhaps instance maps."""

    root: Path
    split: str
    folders: dict[str, Path]
    classes: Classes

    def reading(self, key: str, payload: bytes) -> Reading[Image]:
        """The picture with its objects and caption."""
        row = fields.parse_record(payload)
        labels = self._labels(key)
        size = labels.shape[1], labels.shape[0]
        uri = self._uri("image", f"{key}.jpg")
        images.probe(self.root, uri, size)
        groups, rejections = survivors(f"{NAME}/{key}", self._parts(key, labels))
        objects = tuple(item for group in groups for item in group)
        image = Image(
            image_id=key, image_uri=uri, width=size[0], height=size[1], split=self.split,
            captions=(ade20k_captions.caption_of(row, objects),), objects=objects,
        )  # fmt: skip
        return Reading(item=image, rejections=rejections)

    def _parts(self, key: str, labels: regions.Labels) -> Iterator[tuple[str, Callable[[], _Objects]]]:
        """Every instance, and every class of the label map that is not a matter of instances."""
        if "instances" in self.folders:
            categories, identities = self._instances(key, (labels.shape[1], labels.shape[0]))
            for identity in regions.values(identities):
                if identity:
                    yield f"instance-{identity}", partial(self._instance, categories, identities == identity)
        for value in regions.values(labels):
            if value and not ("instances" in self.folders and self.classes.is_thing(value)):
                yield f"class-{value}", partial(self._regions, labels, value)

    def _instance(self, categories: regions.Labels, inside: Bool[np.ndarray, "height width"]) -> _Objects:
        category = int(np.bincount(categories[inside]).argmax())
        noun = self.classes.nouns.get(self.classes.things.get(category, 0))
        if noun is None:
            raise RejectedError(Reason.MALFORMED_RECORD, f"unknown instance category {category}")
        return (regions.whole(inside.astype(np.uint8), noun, "thing"),)

    def _regions(self, labels: regions.Labels, value: int) -> _Objects:
        noun = self.classes.nouns.get(value)
        if noun is None:
            raise RejectedError(Reason.MALFORMED_RECORD, f"unknown label {value}")
        kind = "thing" if self.classes.is_thing(value) else "stuff"
        return tuple(regions.connected((labels == value).astype(np.uint8), noun, kind))

    def _labels(self, key: str) -> regions.Labels:
        values = images.decode_map(images.read_bytes(self.root, self._uri("labels", f"{key}.png")))
        if values.ndim != 2:
            raise RejectedError(Reason.UNSUPPORTED_MODE, f"label map of {values.shape[2]} channels, expected 1")
        return values

    def _instances(self, key: str, size: tuple[int, int]) -> tuple[regions.Labels, regions.Labels]:
        """The instance map's categories (red) and identities (green)."""
        values = images.decode_map(images.read_bytes(self.root, self._uri("instances", f"{key}.png")), size)
        if values.ndim != 3:
            raise RejectedError(Reason.UNSUPPORTED_MODE, "instance map of 1 channel, expected 3")
        return np.ascontiguousarray(values[..., 0]), np.ascontiguousarray(values[..., 1])

    def _uri(self, folder: str, name: str) -> str:
        return (self.folders[folder].relative_to(self.root) / name).as_posix()


def _list_pictures(names: list[str], scenes: Path, captioned: list[Path]) -> Listing:
    captions = ade20k_captions.read_captions(captioned)
    places = _read_scenes(scenes)
    return Listing(rows=(_row(name, places, captions) for name in names))


def _row(name: str, scenes: dict[str, str], captions: dict[str, str | None]) -> Row:
    caption = {"caption": captions[name]} if name in captions else {}
    return name, json.dumps({"scene": scenes.get(name, ""), **caption}).encode()


def _read_scenes(path: Path) -> dict[str, str]:
    """Lines "picture scene"."""
    if not path.is_file():
        return {}
    lines = text_files.read(path).splitlines()
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines if line.strip()}
