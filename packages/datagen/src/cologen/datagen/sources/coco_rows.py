"""How the index holds one picture of a COCO file: what reading needs as JSON, and its polygons as a block of numbers.

Polygons are most of COCO's bytes, and parsing their numbers would be the largest part of reading a picture. So the
index stores them as float64, and a segmentation in the JSON only says how many numbers each polygon takes from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float64

from cologen.datagen.records import RejectedError
from cologen.datagen.sources import fields

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
_HEAD = 8  # bytes: the length of the JSON in decimal digits
_NUMBER = 8  # bytes of a float64, to whose multiple the JSON is padded


def packed(row: bytes, kept_fields: Kept = FIELDS) -> bytes:
    """The row ``{"image": …, "annotations": […], "captions": […]}`` in the index's form.

    What is malformed is kept as it is, for ``unpacked`` and its caller to reject with the picture's name.
    """
    try:
        record = fields.parse_record(row)
    except RejectedError:
        return _joined(row, [])
    kept: fields.Record = {name: _only(record[name], kept_fields.get(name, ())) for name in record}
    numbers: list[int | float] = []
    for annotation in kept.get("annotations", ()):
        if isinstance(annotation, dict) and _is_polygons(annotation.get("segmentation")):
            polygons = annotation["segmentation"]
            annotation["segmentation"] = {_LENGTHS: [len(polygon) for polygon in polygons]}
            numbers.extend(number for polygon in polygons for number in polygon)
    return _joined(json.dumps(kept).encode(), numbers)


def unpacked(payload: bytes) -> fields.Record:
    """The record of a packed row; its polygons are arrays ``[x0, y0, x1, y1, …]``.

    Raises:
        RejectedError: the row was malformed.
    """
    end = _HEAD + int(payload[:_HEAD])
    record = fields.parse_record(payload[_HEAD:end])
    numbers = np.frombuffer(payload, dtype=np.float64, offset=end)
    taken = 0
    for annotation in record.get("annotations", ()):
        if isinstance(annotation, dict) and _LENGTHS in (annotation.get("segmentation") or ()):
            lengths = annotation["segmentation"][_LENGTHS]
            annotation["segmentation"] = _cut(numbers[taken:], lengths)
            taken += sum(lengths)
    return record


def _only(value: Any, names: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return [_only(element, names) for element in value]
    return {name: value[name] for name in names if name in value} if isinstance(value, dict) else value


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
    return b"%08d%b%b" % (len(padded), padded, np.array(numbers, dtype=np.float64).tobytes())


def _cut(
    numbers: Float64[np.ndarray, " num_numbers"], lengths: list[int]
) -> list[Float64[np.ndarray, " _num_coordinates"]]:
    ends = np.cumsum(lengths).tolist()
    return [numbers[end - length : end] for end, length in zip(ends, lengths, strict=True)]
