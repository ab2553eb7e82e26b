"""LVIS, v1 or v0.5: pictures of COCO 2017 with the objects of a thousand categories, each judged in some pictures only.

In each picture the categories fall into four kinds: annotated in full, annotated in part, known to be absent, and not
judged. Only of the first can one say "all".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from cologen.datagen import images
from cologen.datagen.datasets.coco import rows as coco_rows
from cologen.datagen.datasets.coco.listing import Scan
from cologen.datagen.datasets.coco.lvis_nouns import nouns
from cologen.datagen.datasets.coco.objects import read_objects
from cologen.datagen.datasets.coco.orphans import ORPHANS, reject_orphans
from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.index import Listing, open_index
from cologen.datagen.datasets.files.readings import Dataset, IndexedDataset, Reading
from cologen.datagen.datasets.files.requirements import require_root, require_split
from cologen.datagen.images import addresses
from cologen.datagen.records import Image, Reason, RejectedError

NAME = "lvis"
_SPLITS = {"train": "train", "val": "val"}
_FILES = ("lvis_v1_{}.json", "annotations/lvis_v1_{}.json", "lvis_v0.5_{}.json", "annotations/lvis_v0.5_{}.json")

_ABSENT, _PARTIAL = "neg_category_ids", "not_exhaustive_category_ids"
_KEPT: coco_rows.Kept = MappingProxyType(
    {
        "image": ("id", "coco_url", "file_name", "width", "height", _ABSENT, _PARTIAL),
        "annotations": coco_rows.FIELDS["annotations"],
    }
)
_NAME_LENGTH = len("000000000009.jpg")


def open_lvis(root: Path, split: str = "train") -> Dataset[Image]:
    """``lvis_v1_{train,val}.json`` or ``lvis_v0.5_….json``, maybe in ``annotations/``, and ``{train,val}2017/*.jpg``.

    Of both versions, v1 is read. Its validation split has pictures of ``train2017`` too. Pictures come in the order of
    COCO's ids.

    Raises:
        FileNotFoundError: the root or its file of annotations is missing.
        ValueError: an unknown split, or a malformed file.
    """
    require_split(NAME, split, _SPLITS)
    path = _annotations(root, split)
    rows = open_index(root, [path], [NAME, split], partial(_list_pictures, path))
    picture = _Picture(root=root, split=split, nouns=rows.constants["nouns"])
    return IndexedDataset(name=NAME, rows=rows, interpret=picture.reading, annotated=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """Interprets a row; ``nouns`` are those of the categories by id."""

    root: Path
    split: str
    nouns: dict[str, str]

    def reading(self, key: str, payload: bytes) -> Reading[Image]:
        """The picture with its objects and what is known of its other categories."""
        if key.startswith(ORPHANS):
            return reject_orphans(NAME, payload)
        row = coco_rows.unpacked(payload)
        image = fields.record(row, "image")
        uri = addresses.address(_image_path(image, self.split))
        size = images.probe(self.root, uri, (fields.pixels(image, "width"), fields.pixels(image, "height")))
        absent, partly = self._listed_nouns(image, _ABSENT), self._listed_nouns(image, _PARTIAL)
        annotated = read_objects(f"{NAME}/{key}", row, self.nouns, size)
        return Reading(
            item=Image(
                image_id=key, image_uri=uri, width=size[0], height=size[1], split=self.split,
                objects=annotated.objects, absent_nouns=absent,
                partial_nouns=tuple(sorted({*partly, *annotated.partial_nouns})),
            ),
            rejections=annotated.rejections,
        )  # fmt: skip

    def _listed_nouns(self, image: fields.Record, name: str) -> tuple[str, ...]:
        """The nouns of a list of categories; without all of it nothing sure can be said of the picture."""
        found = [self.nouns.get(str(fields.identifier(number))) for number in fields.items(image, name)]
        if None in found:
            number = fields.items(image, name)[found.index(None)]
            raise RejectedError(Reason.MALFORMED_RECORD, f"{name}: unknown category {fields.shown(number)}")
        return tuple(noun for noun in found if noun is not None)


def _annotations(root: Path, split: str) -> Path:
    require_root(root)
    candidates = [name.format(split) for name in _FILES]
    found = next((root / name for name in candidates if (root / name).is_file()), None)
    if found is None:
        raise FileNotFoundError(f"{root} holds none of the files {', '.join(candidates)}")
    return found


def _list_pictures(path: Path) -> Listing:
    scan = Scan(path)
    return Listing(rows=scan.rows({}, _KEPT), constants={"nouns": nouns(scan.categories)})


def _image_path(image: fields.Record, split: str) -> str:
    """The last two parts of the URL; v0.5 may have the file name of COCO 2014 alone, which ends in that of 2017."""
    if "coco_url" in image:
        return "/".join(fields.text(image, "coco_url").split("/")[-2:])
    return f"{split}2017/{fields.text(image, 'file_name')[-_NAME_LENGTH:]}"
