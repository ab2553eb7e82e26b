"""The annotations of one picture in COCO's form as its objects, each found again by its annotation's id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from cologen.datagen import rle
from cologen.datagen.records import ObjectMask, Reason, RejectedError, Rejection
from cologen.datagen.sources import fields
from cologen.datagen.sources.reading import survivors


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """The objects of a picture, and by annotation id the place of each among them.

    ``partial_nouns`` are those of which an annotation was turned away, so that the objects are not all there are.
    """

    objects: tuple[ObjectMask, ...]
    places: Mapping[int, int]
    partial_nouns: tuple[str, ...]
    rejections: tuple[Rejection, ...]


def read_objects(sample_id: str, row: fields.Record, nouns: Mapping[str, str], size: tuple[int, int]) -> Annotated:
    """The row's ``annotations``, with ``nouns`` by category id, on a picture of ``size`` (width, height).

    Raises:
        RejectedError: the row has no list of annotations.
    """
    annotations = fields.items(row, "annotations")
    named = [
        (fields.identity(value, place), partial(_identified, value, nouns, size))
        for place, value in enumerate(annotations)
    ]
    found, rejections = survivors(sample_id, named)
    said = Counter(nouns.get(str(value.get("category_id"))) for value in annotations if isinstance(value, dict))
    said.subtract(item.noun for _, item in found)
    return Annotated(
        objects=tuple(item for _, item in found),
        places={identity: place for place, (identity, _) in enumerate(found) if type(identity) is int},
        partial_nouns=tuple(sorted(noun for noun, missing in said.items() if noun is not None and missing)),
        rejections=rejections,
    )


def read_object(value: object, nouns: Mapping[str, str], size: tuple[int, int]) -> ObjectMask:
    """One annotation on a picture of ``size`` (width, height).

    Raises:
        RejectedError: malformed, of an unknown category, or without a pixel in the picture.
    """
    annotation = fields.as_record(value, "annotation")
    noun = nouns.get(str(fields.integer(annotation, "category_id")))
    if noun is None:
        raise RejectedError(Reason.MALFORMED_RECORD, f"unknown category_id {annotation['category_id']}")
    counts = _counts(annotation.get("segmentation"), height=size[1], width=size[0])
    box = rle.box(counts, size[1], size[0])
    if not box.area:
        raise RejectedError(Reason.EMPTY_MASK, f"{noun}: no pixel is set")
    return ObjectMask(noun=noun, box=box, rle=counts, kind="crowd" if annotation.get("iscrowd") else "thing")


def _identified(value: object, nouns: Mapping[str, str], size: tuple[int, int]) -> tuple[object, ObjectMask]:
    made = read_object(value, nouns, size)
    return fields.as_record(value, "annotation").get("id"), made


def _counts(segmentation: object, *, height: int, width: int) -> bytes:
    """Compressed counts of polygons, or of run lengths, compressed or not."""
    if isinstance(segmentation, list):
        return _from_polygons(segmentation, height, width)
    runs = fields.as_record(segmentation, "segmentation")
    if runs.get("size") != [height, width]:
        detail = f"segmentation of size {ascii(runs.get('size'))[:40]}, picture [{height}, {width}]"
        raise RejectedError(Reason.MALFORMED_RECORD, detail)
    if isinstance(runs.get("counts"), str):
        return _compressed(runs["counts"].encode(errors="replace"), height, width)
    lengths = fields.items(runs, "counts")
    if not set(map(type, lengths)) <= {int}:
        raise RejectedError(Reason.MALFORMED_RECORD, "counts: expected whole numbers")
    return rle.from_uncompressed(lengths, height, width)


def _compressed(counts: bytes, height: int, width: int) -> bytes:
    try:
        # Through pixels: foreign counts may hold runs of no pixel, at which pycocotools' overlaps end early.
        return rle.encode(rle.decode(counts, height, width))
    except ValueError as error:
        raise RejectedError(Reason.MALFORMED_RECORD, str(error)) from None


def _from_polygons(polygons: list[Any], height: int, width: int) -> bytes:
    for polygon in polygons:
        if isinstance(polygon, np.ndarray):
            continue
        if not isinstance(polygon, list) or not set(map(type, polygon)) <= {int, float}:
            raise RejectedError(Reason.MALFORMED_RECORD, f"polygon: expected numbers, found {ascii(polygon)[:60]}")
    try:
        return rle.from_polygons(polygons, height, width)
    except OverflowError:
        raise RejectedError(Reason.OUTSIDE_IMAGE, "a coordinate of more than 300 digits") from None
