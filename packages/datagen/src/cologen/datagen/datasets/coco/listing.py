"""COCO's annotation files as rows, one per picture, with everything needed to read it.

The files are gone through once, element by element, and only numbers are kept: 450 MB of annotations need little
memory. What belongs to no picture goes to rows of its own, to be rejected piece by piece.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from cologen.datagen.datasets.coco import rows as coco_rows
from cologen.datagen.datasets.coco.orphans import ORPHANS, Orphan, packed_orphans
from cologen.datagen.datasets.files import fields, json_scan
from cologen.datagen.datasets.files.index import Listing, Row
from cologen.datagen.records import RejectedError

MISSING_ID = -1
"""Stands for a missing or invalid picture id."""
_ORPHANS_PER_ROW = 256


def list_pictures(instances: Path, captions: Path) -> Listing:
    """Rows of ``image``, ``annotations`` and ``captions`` by picture; the constants are category names by id.

    Raises:
        ValueError: a file is not a JSON object of arrays, or malformed, or a category is.
    """
    scan, sentences, quotes = Scan(instances), json_scan.mapped(captions), _Spans()
    for element in json_scan.elements(sentences, captions):
        if element.section == "annotations":
            quotes.add(element, "image_id")
    return Listing(rows=scan.rows({"captions": quotes.sorted(sentences)}), constants={"categories": scan.names()})


def picture_id(record: object, name: str) -> int:
    """The picture's id in field ``name``, or ``MISSING_ID`` where there is none that an index can hold."""
    key = fields.identifier(record.get(name)) if isinstance(record, dict) else None
    return MISSING_ID if key is None or key < 0 else key


class Scan:
    """A file of pictures, annotations and categories, gone through once.

    Raises:
        ValueError: not a JSON object of arrays, or malformed, or a category is, which has at least an id and a name, or
            two categories have one id.
    """

    def __init__(self, path: Path) -> None:
        self._file, self._images, annotations = json_scan.mapped(path), _Spans(), _Spans()
        self.categories: list[fields.Record] = []
        for element in json_scan.elements(self._file, path):
            if element.section == "images":
                self._images.add(element, "id")
            elif element.section == "annotations":
                annotations.add(element, "image_id")
            elif element.section == "categories":
                self.categories.append(_category(self._file[element.start : element.end], path))
        self._annotations = annotations.sorted(self._file)
        _refuse_double_ids(self.categories, path)

    def names(self) -> dict[str, str]:
        """The words of each category's name by its id; "" where it has none."""
        return {str(category["id"]): fields.words(category["name"]) for category in self.categories}

    def pictures(self) -> Iterator[tuple[int, bytes, list[bytes]]]:
        """Each picture's id, its own JSON, and that of each of its annotations."""
        for key, start, end in zip(self._images.keys, self._images.starts, self._images.ends, strict=True):
            yield key, self._file[start:end], self._annotations.of(key)

    def rows(self, others: Mapping[str, _Groups], kept: coco_rows.Kept = coco_rows.FIELDS) -> Iterator[Row]:
        """A row for each picture with what ``others`` hold of it, and rows of what belongs to no picture."""
        for number, (key, image, objects) in enumerate(self.pictures()):
            name = f"{key:012d}" if key != MISSING_ID else f"~image-{number}"
            rest = {other: elements.of(key) for other, elements in others.items()}
            yield name, coco_rows.packed({"image": image, "annotations": objects, **rest}, kept)
        known = set(self._images.keys)
        lost = chain.from_iterable(
            elements.outside(known, name) for name, elements in {"annotations": self._annotations, **others}.items()
        )
        number = 0
        while orphans := list(islice(lost, _ORPHANS_PER_ROW)):
            yield f"{ORPHANS}-{number:06d}", packed_orphans(orphans)
            number += 1


def _category(data: bytes, path: Path) -> fields.Record:
    try:
        category = fields.parse_record(data)
        own = fields.identifier(category.get("id"))
        return {
            **category,
            "id": fields.integer(category, "id") if own is None else own,
            "name": fields.text(category, "name"),
        }
    except RejectedError as error:
        raise ValueError(f"{path}: a malformed category: {error.detail}") from error


def _refuse_double_ids(categories: Sequence[fields.Record], path: Path) -> None:
    names: dict[int, str] = {}
    for category in categories:
        other = names.setdefault(category["id"], category["name"])
        if other != category["name"]:
            raise ValueError(
                f"{path}: the categories {other!a} and {category['name']!a} have one id, {category['id']}: "
                "which of them an annotation means cannot be told"
            )


@dataclass(frozen=True, slots=True)
class _Spans:
    """Where elements are in their file, and the picture each belongs to."""

    keys: array[int] = field(default_factory=lambda: array("q"))
    starts: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))

    def add(self, element: json_scan.Element, key_field: str) -> None:
        self.keys.append(picture_id(element.value, key_field))
        self.starts.append(element.start)
        self.ends.append(element.end)

    def sorted(self, file: mmap.mmap) -> _Groups:
        keys, starts, ends = (np.array(column, dtype=np.int64) for column in (self.keys, self.starts, self.ends))
        order = np.argsort(keys, kind="stable")
        return _Groups(file, keys[order], starts[order], ends[order])


@dataclass(frozen=True, slots=True)
class _Groups:
    """Elements in the order of their pictures."""

    file: mmap.mmap
    keys: Int64[np.ndarray, " num_elements"]
    starts: Int64[np.ndarray, " num_elements"]
    ends: Int64[np.ndarray, " num_elements"]

    def of(self, key: int) -> list[bytes]:
        """The elements of one picture."""
        if key == MISSING_ID:
            return []
        first, last = np.searchsorted(self.keys, [key, key + 1]).tolist()
        spans = zip(self.starts[first:last].tolist(), self.ends[first:last].tolist(), strict=True)
        return [self.file[start:end] for start, end in spans]

    def outside(self, keys: set[int], section: str) -> Iterator[Orphan]:
        """The elements whose picture is not among ``keys``; ``section`` is what they are elements of."""
        places = np.flatnonzero(~np.isin(self.keys, list(keys - {MISSING_ID}))).tolist()
        for place in places:
            value = fields.parse_or_mark(self.file[int(self.starts[place]) : int(self.ends[place])])
            key = int(self.keys[place])
            yield Orphan(section, fields.identity(value, place), None if key == MISSING_ID else key)
