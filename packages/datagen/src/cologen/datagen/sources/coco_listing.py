"""COCO's annotation files as rows, one per picture, holding all that reading it needs.

The files are gone through once, element by element, and only numbers are kept: 450 MB of annotations need little
memory.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from cologen.datagen.records import RejectedError
from cologen.datagen.sources import coco_rows, fields, json_scan
from cologen.datagen.sources.index import Listing, Row

ORPHANS = "~orphans"
"""The key of the row that counts annotations of pictures that are not listed; it sorts behind all others."""

_MISSING_ID = -1


def list_pictures(instances: Path, captions: Path) -> Listing:
    """Rows ``{"image": …, "annotations": […], "captions": […]}`` by picture; the constants are category names by id.

    Raises:
        ValueError: a file is not a JSON object of arrays, or malformed, or a category is.
    """
    objects, sentences = _mapped(instances), _mapped(captions)
    images, annotations, categories = _Spans(), _Spans(), dict[str, str]()
    for element in json_scan.elements(objects, instances):
        if element.section == "images":
            images.add(element, "id")
        elif element.section == "annotations":
            annotations.add(element, "image_id")
        elif element.section == "categories":
            number, name = _category(objects[element.start : element.end], instances)
            categories[str(number)] = name
    quotes = _Spans()
    for element in json_scan.elements(sentences, captions):
        if element.section == "annotations":
            quotes.add(element, "image_id")
    return Listing(
        rows=_rows(objects, images, annotations.sorted(objects), quotes.sorted(sentences)),
        constants={"categories": categories},
    )


def _category(data: bytes, path: Path) -> tuple[int, str]:
    try:
        category = fields.parse_record(data)
        return fields.integer(category, "id"), fields.text(category, "name")
    except RejectedError as error:
        raise ValueError(f"{path}: a malformed category: {error.detail}") from error


def _rows(objects: mmap.mmap, images: _Spans, annotations: _Groups, captions: _Groups) -> Iterator[Row]:
    for number, (key, start, end) in enumerate(zip(images.keys, images.starts, images.ends, strict=True)):
        name = f"{key:012d}" if key != _MISSING_ID else f"~image-{number}"
        parts = (objects[start:end], annotations.of(key), captions.of(key))
        yield name, coco_rows.packed(b'{"image":%b,"annotations":[%b],"captions":[%b]}' % parts)
    known = set(images.keys)
    if orphans := annotations.outside(known) + captions.outside(known):
        yield ORPHANS, coco_rows.packed(b'{"orphans":%d}' % orphans)


@dataclass(frozen=True, slots=True)
class _Spans:
    """Where elements stand in their file, and the picture each belongs to."""

    keys: array[int] = field(default_factory=lambda: array("q"))
    starts: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))

    def add(self, element: json_scan.Element, key_field: str) -> None:
        key = element.value.get(key_field) if isinstance(element.value, dict) else None
        self.keys.append(key if type(key) is int and 0 <= key < 1 << 62 else _MISSING_ID)
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
        if key == _MISSING_ID:
            return b""
        first, last = np.searchsorted(self.keys, [key, key + 1]).tolist()
        spans = zip(self.starts[first:last].tolist(), self.ends[first:last].tolist(), strict=True)
        return b",".join(self.file[start:end] for start, end in spans)

    def outside(self, keys: set[int]) -> int:
        """The number of elements whose picture is not among ``keys``."""
        return int((~np.isin(self.keys, list(keys - {_MISSING_ID}))).sum())


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise ValueError(f"{path}: the file is empty") from None
