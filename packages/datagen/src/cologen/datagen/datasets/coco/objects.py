"""The annotations of one picture in COCO's form as objects, by annotation id."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from cologen.datagen import rle
from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.readings import survivors
from cologen.datagen.records import ObjectKind, ObjectMask, Reason, RejectedError, Rejection

_CROWDS: Mapping[object, ObjectKind] = {None: "thing", 0: "thing", "0": "thing", 1: "crowd", "1": "crowd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """The objects of a picture, and by annotation id the place of each among them, where one annotation alone has it.

    ``partial_nouns`` are those of which an annotation was rejected, so that the objects are incomplete.
    """

    objects: tuple[ObjectMask, ...]
    places: Mapping[int, int]
    partial_nouns: tuple[str, ...]
    rejections: tuple[Rejection, ...]


def read_objects(sample_id: str, row: fields.Record, nouns: Mapping[str, str], size: tuple[int, int]) -> Annotated:
    """The row's ``annotations``, with ``nouns`` by category id, on a picture of ``size`` (width, height).

    Of an annotation that is listed twice the second is rejected. Different ones of one id are all kept, but the id then
    means none of them.

    Raises:
        RejectedError: the row has no list of annotations.
    """
    annotations = fields.items(row, "annotations")
    once = _Once(nouns, size)
    named = [(fields.identity(value, place), partial(once.read, value)) for place, value in enumerate(annotations)]
    found, rejections = survivors(sample_id, named)
    records = [value for value in annotations if isinstance(value, dict)]
    ids = Counter(fields.identifier(value.get("id")) for value in records) - once.repeated_ids
    said = Counter(_noun_of(value, nouns) for value in records) - once.repeated_nouns
    said.subtract(item.noun for _, item in found)
    return Annotated(
        objects=tuple(item for _, item in found),
        places={own: place for place, (own, _) in enumerate(found) if own is not None and ids[own] == 1},
        partial_nouns=tuple(sorted(noun for noun, missing in said.items() if noun and missing)),
        rejections=rejections,
    )


class _Once:
    """Reads annotations of one picture, and rejects what it has read before."""

    def __init__(self, nouns: Mapping[str, str], size: tuple[int, int]) -> None:
        self._nouns, self._size = nouns, size
        self._read: dict[int, list[ObjectMask]] = defaultdict(list)
        self.repeated_ids, self.repeated_nouns = Counter[int | None](), Counter[str | None]()

    def read(self, value: object) -> tuple[int | None, ObjectMask]:
        made = read_object(value, self._nouns, self._size)
        own = fields.identifier(fields.as_record(value, "annotation").get("id"))
        if own is not None:
            if made in self._read[own]:
                self.repeated_ids[own] += 1
                self.repeated_nouns[made.noun] += 1
                raise RejectedError(Reason.DUPLICATE_ID, f"annotation {own} is listed before, with the same mask")
            self._read[own].append(made)
        return own, made


def read_object(value: object, nouns: Mapping[str, str], size: tuple[int, int]) -> ObjectMask:
    """One annotation on a picture of ``size`` (width, height).

    Raises:
        RejectedError: malformed, of an unknown category, or without a pixel in the picture.
    """
    annotation = fields.as_record(value, "annotation")
    noun = _noun_of(annotation, nouns)
    if noun is None:
        raise RejectedError(
            Reason.MALFORMED_RECORD, f"unknown category_id {fields.shown(annotation.get('category_id'))}"
        )
    if not noun:
        raise RejectedError(Reason.MALFORMED_RECORD, f"category {annotation['category_id']} has a name without words")
    kind = _kind(annotation.get("iscrowd"))
    counts = _counts(annotation.get("segmentation"), height=size[1], width=size[0])
    box = rle.box(counts, size[1], size[0])
    if not box.area:
        raise RejectedError(Reason.EMPTY_MASK, f"{noun}: no pixel is set")
    return ObjectMask(noun=noun, box=box, rle=counts, kind=kind)


def _noun_of(annotation: fields.Record, nouns: Mapping[str, str]) -> str | None:
    """The category's noun, "" where its name has no words; None where there is no such category."""
    return nouns.get(str(fields.identifier(annotation.get("category_id"))))


def _kind(iscrowd: object) -> ObjectKind:
    """COCO writes 0 and 1; ``true``, 1.0 and ``"1"`` are the same."""
    known = iscrowd is None or isinstance(iscrowd, (int, float, str))
    kind = _CROWDS.get(iscrowd) if known else None
    if kind is None:
        raise RejectedError(Reason.MALFORMED_RECORD, f"iscrowd: expected 0 or 1, found {fields.shown(iscrowd)}")
    return kind


def _counts(segmentation: object, *, height: int, width: int) -> bytes:
    """Compressed counts of polygons, or of run lengths, compressed or not."""
    if isinstance(segmentation, list):
        return _from_polygons(segmentation, height, width)
    if not isinstance(segmentation, dict):
        detail = f"segmentation: expected polygons or run lengths, found {fields.shown(segmentation)}"
        raise RejectedError(Reason.MALFORMED_RECORD, detail)
    runs = fields.as_record(segmentation, "segmentation")
    if runs.get("size") != [height, width]:
        detail = f"segmentation of size {fields.shown(runs.get('size'))}, picture [{height}, {width}]"
        raise RejectedError(Reason.MALFORMED_RECORD, detail)
    if isinstance(runs.get("counts"), str):
        return _compressed(runs["counts"].encode(errors="replace"), height, width)
    return rle.from_uncompressed([_length(value) for value in fields.items(runs, "counts")], height, width)


def _length(value: object) -> int:
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise RejectedError(Reason.MALFORMED_RECORD, f"counts: expected whole numbers, found {fields.shown(value)}")
    return value


def _compressed(counts: bytes, height: int, width: int) -> bytes:
    try:
        # Through pixels: foreign counts may hold runs of no pixel, at which pycocotools' overlaps end early.
        return rle.encode(rle.decode(counts, height, width))
    except ValueError as error:
        raise RejectedError(Reason.MALFORMED_RECORD, str(error)) from None


def _from_polygons(polygons: list[Any], height: int, width: int) -> bytes:
    for polygon in polygons:
        if not isinstance(polygon, np.ndarray) and (
            not isinstance(polygon, list) or not set(map(type, polygon)) <= {int, float}
        ):
            detail = f"polygon: expected numbers, found {fields.shown(polygon)}"
            raise RejectedError(Reason.MALFORMED_RECORD, detail)
        if len(polygon) % 2:
            detail = f"polygon: expected pairs of x and y, found {len(polygon)} numbers"
            raise RejectedError(Reason.MALFORMED_RECORD, detail)
    try:
        return rle.from_polygons(polygons, height, width)
    except OverflowError:
        raise RejectedError(Reason.OUTSIDE_IMAGE, "a coordinate of more than 300 digits") from None
