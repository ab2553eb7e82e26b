"""The row format of COCO's index: JSON fields, and polygons as a block of numbers.

Polygons are most of COCO's bytes, and parsing their numbers would be the largest part of reading a picture. So the
index stores them as float64, and the JSON says beside the annotations how many numbers each polygon takes from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float64

from cologen.datagen.datasets.files import fields

Numbers = Float64[np.ndarray, " _num_numbers"]

Kept = Mapping[str, tuple[str, ...]]
"""Of each part of a row the fields that reading needs."""

FIELDS: Kept = MappingProxyType(
    {
        "image": ("id", "file_name", "width", "height"),
        "annotations": ("id", "category_id", "iscrowd", "segmentation"),
        "captions": ("id", "caption"),
    }
)
"""What is kept of COCO's own rows."""

_LENGTHS = "polygon_lengths"
_HEAD = 16  # bytes: the length of the JSON in decimal digits
_NUMBER = 8  # bytes of a float64, to whose multiple the JSON is padded


def packed(parts: Mapping[str, bytes | Sequence[bytes]], kept_fields: Kept = FIELDS) -> bytes:
    """A picture in the index's form: its parts by name (``image``, ``annotations``, …), each as JSON or a list of it.

    Each element is parsed alone, so that a malformed one takes no other with it; it is kept as what ``fields``
    rejects.
    """
    row: fields.Record = {name: _parsed(part, kept_fields[name]) for name, part in parts.items()}
    lengths: dict[str, list[int]] = {}
    numbers: list[int | float] = []
    for place, annotation in enumerate(row.get("annotations", ())):
        if isinstance(annotation, dict) and _is_polygons(annotation.get("segmentation")):
            polygons = annotation.pop("segmentation")
            lengths[str(place)] = [len(polygon) for polygon in polygons]
            numbers.extend(number for polygon in polygons for number in polygon)
    return _joined(json.dumps({**row, _LENGTHS: lengths}).encode(), numbers)


def unpacked(payload: bytes) -> fields.Record:
    """The record of a packed row; its polygons are arrays ``[x0, y0, x1, y1, …]``."""
    end = _HEAD + int(payload[:_HEAD])
    record = fields.parse_own(payload[_HEAD:end])
    numbers = np.frombuffer(payload, dtype=np.float64, offset=end)
    taken = 0
    for place, lengths in record.pop(_LENGTHS).items():
        record["annotations"][int(place)]["segmentation"] = _cut(numbers[taken:], lengths)
        taken += sum(lengths)
    return record


def _parsed(part: bytes | Sequence[bytes], names: tuple[str, ...]) -> Any:
    if isinstance(part, bytes):
        return _only(fields.parse_or_mark(part), names)
    return [_only(fields.parse_or_mark(element), names) for element in part]


def _only(value: Any, names: tuple[str, ...]) -> Any:
    if not isinstance(value, dict) or fields.is_rejected(value):
        return value
    return {name: value[name] for name in names if name in value}


def _is_polygons(value: Any) -> bool:
    """Whether it is a list of lists of numbers that a float64 holds."""
    return isinstance(value, list) and all(
        isinstance(polygon, list)
        and set(map(type, polygon)) <= {int, float}
        and max(map(abs, polygon), default=0) < 1e300
        for polygon in value
    )


def _joined(text: bytes, numbers: list[int | float]) -> bytes:
    padded = text + b" " * (-(_HEAD + len(text)) % _NUMBER)
    return b"%016d%b%b" % (len(padded), padded, np.array(numbers, dtype=np.float64).tobytes())


def _cut(
    numbers: Float64[np.ndarray, " num_numbers"], lengths: list[int]
) -> list[Float64[np.ndarray, " _num_coordinates"]]:
    ends = np.cumsum(lengths).tolist()
    return [numbers[end - length : end] for end, length in zip(ends, lengths, strict=True)]
