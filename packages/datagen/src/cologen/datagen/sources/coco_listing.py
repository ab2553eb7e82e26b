"""COCO's annotation files as rows, one per picture, holding all that reading it needs.

The files are gone through once, element by element, and only numbers are kept: 450 MB of annotations need little
memory.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from cologen.datagen.records import RejectedError
from cologen.datagen.sources import coco_rows, fields, json_scan
from cologen.datagen.sources.index import Listing, Row

ORPHANS = "~orphans"
"""The key of the row that counts annotations of pictures that are not listed; it sorts behind all others."""

MISSING_ID = -1
"""Stands for a picture's id that is none."""


def list_pictures(instances: Path, captions: Path) -> Listing:
    """Rows ``{"image": …, "annotations": […], "captions": […]}`` by picture; the constants are category names by id.

    Raises:
        ValueError: a file is not a JSON object of arrays, or malformed, or a category is.
    """
    scan, sentences, quotes = Scan(instances), _mapped(captions), _Spans()
    for element in json_scan.elements(sentences, captions):
        if element.section == "annotations":
            quotes.add(element, "image_id")
    names = {str(category["id"]): category["name"] for category in scan.categories}
    return Listing(rows=scan.rows({"captions": quotes.sorted(sentences)}), constants={"categories": names})


def picture_id(record: object, name: str) -> int:
    """The picture's id in field ``name``, or ``MISSING_ID`` where there is none that an index can hold."""
    key = record.get(name) if isinstance(record, dict) else None
    return key if type(key) is int and 0 <= key < 1 << 62 else MISSING_ID


class Scan:
    """A file of pictures, annotations and categories, gone through once.

    Raises:
        ValueError: not a JSON object of arrays, or malformed, or a category is, which has at least an id and a name.
    """

    def __init__(self, path: Path) -> None:
        self._file, self._images, annotations = _mapped(path), _Spans(), _Spans()
        self.categories: list[fields.Record] = []
        for element in json_scan.elements(self._file, path):
            if element.section == "images":
                self._images.add(element, "id")
            elif element.section == "annotations":
                annotations.add(element, "image_id")
            elif element.section == "categories":
                self.categories.append(_category(self._file[element.start : element.end], path))
        self._annotations = annotations.sorted(self._file)

    def pictures(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Each picture's id, its own JSON, and that of its annotations, separated by commas."""
        for key, start, end in zip(self._images.keys, self._images.starts, self._images.ends, strict=True):
            yield key, self._file[start:end], self._annotations.of(key)

    def rows(self, others: Mapping[str, _Groups], kept: coco_rows.Kept = coco_rows.FIELDS) -> Iterator[Row]:
        """A row for each picture with what ``others`` hold of it, and one that counts what belongs to no picture."""
        for number, (key, image, objects) in enumerate(self.pictures()):
            name = f"{key:012d}" if key != MISSING_ID else f"~image-{number}"
            parts = [b'"image":%b' % image, b'"annotations":[%b]' % objects]
            parts += [b'"%b":[%b]' % (other.encode(), elements.of(key)) for other, elements in others.items()]
            yield name, coco_rows.packed(b"{%b}" % b",".join(parts), kept)
        known = set(self._images.keys)
        if orphans := sum(elements.outside(known) for elements in (self._annotations, *others.values())):
            yield ORPHANS, coco_rows.packed(b'{"orphans":%d}' % orphans)


def _category(data: bytes, path: Path) -> fields.Record:
    try:
        category = fields.parse_record(data)
        return {**category, "id": fields.integer(category, "id"), "name": fields.text(category, "name")}
    except RejectedError as error:
        raise ValueError(f"{path}: a malformed category: {error.detail}") from error


@dataclass(frozen=True, slots=True)
class _Spans:
    """Where elements stand in their file, and the picture each belongs to."""

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

    def of(self, key: int) -> bytes:
        """The elements of one picture, separated by commas."""
        if key == MISSING_ID:
            return b""
        first, last = np.searchsorted(self.keys, [key, key + 1]).tolist()
        spans = zip(self.starts[first:last].tolist(), self.ends[first:last].tolist(), strict=True)
        return b",".join(self.file[start:end] for start, end in spans)

    def outside(self, keys: set[int]) -> int:
        """The number of elements whose picture is not among ``keys``."""
        return int((~np.isin(self.keys, list(keys - {MISSING_ID}))).sum())


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise ValueError(f"{path}: the file is empty") from None
