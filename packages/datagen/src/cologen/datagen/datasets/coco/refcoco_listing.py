"""RefCOCO's pictures as rows: each picture that is referred to in a split, with its annotations and its refs.

Refs that cannot be joined with a picture get rows of their own, so that each is counted.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cologen.datagen.datasets.coco import refcoco_pickle, rows
from cologen.datagen.datasets.coco.listing import MISSING_ID, Scan, picture_id
from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.index import Listing, Row

LOST = "~refs"
"""The key of the row of refs that say no picture or no split; it sorts behind all others."""

_KEPT: rows.Kept = MappingProxyType({**rows.FIELDS, "refs": ("id", "ann_id", "sentences")})

_MOST_UNFOLDED = 8

_Refs = Mapping[int, list[fields.Record]]


def list_referred(instances: Path, refs: Path, split: str) -> Listing:
    """Rows ``{"image": …, "annotations": […], "refs": […]}``; the constants are category names by id.

    A ref is ``{"id", "ann_id", "sentences": [{"id", "sent"}]}``, and belongs to the split if its own contains the
    asked one (``test`` is both ``testA`` and ``testB``). ``image`` is null where the refs' picture is not listed.

    Raises:
        ValueError: a file is malformed, or the pickle holds more than data.
    """
    loaded = refcoco_pickle.load(refs)
    if not isinstance(loaded, list):
        raise ValueError(f"{refs}: expected a list of refs, found {type(loaded).__name__}")  # noqa: TRY004
    _refuse_unfolding(loaded, refs)
    scan = Scan(instances)
    return Listing(rows=_rows(scan, _by_picture(loaded, split)), constants={"categories": scan.names()})


def _refuse_unfolding(loaded: list[Any], path: Path) -> None:
    """Refuse a pickle that refers to one list thousands of times, each of which would become rows of its own."""
    size = path.stat().st_size
    weight = 0
    for ref in loaded:
        sentences = ref.get("sentences") if isinstance(ref, dict) else None
        for sentence in sentences if isinstance(sentences, list) else ():
            text = sentence.get("sent") if isinstance(sentence, dict) else None
            weight += 1 + (len(text) if isinstance(text, str) else 0)
            if weight > _MOST_UNFOLDED * size:
                raise ValueError(f"{path}: its {size} bytes unfold to more than {_MOST_UNFOLDED} times as many words")


def _rows(scan: Scan, refs: _Refs) -> Iterator[Row]:
    unlisted = set(refs)
    for key, image, objects in scan.pictures():
        if key != MISSING_ID and key in refs:
            unlisted.discard(key)
            yield f"{key:012d}", _packed(image, objects, refs[key])
    for key in sorted(unlisted):
        yield LOST if key == MISSING_ID else f"{key:012d}", _packed(b"null", [], refs[key])


def _packed(image: bytes, objects: list[bytes], refs: list[fields.Record]) -> bytes:
    parts = {"image": image, "annotations": objects, "refs": [json.dumps(ref).encode() for ref in refs]}
    return rows.packed(parts, _KEPT)


def _by_picture(refs: list[Any], split: str) -> _Refs:
    grouped: dict[int, list[fields.Record]] = defaultdict(list)
    for ref in refs:
        if not isinstance(ref, dict) or not isinstance(ref.get("split"), str):
            grouped[MISSING_ID].append(_plain_ref(ref))
        elif split in ref["split"]:
            grouped[picture_id(ref, "image_id")].append(_plain_ref(ref))
    return grouped


def _plain_ref(ref: Any) -> fields.Record:
    if not isinstance(ref, dict):
        return {}
    sentences = ref.get("sentences")
    plain = [_plain_sentence(sentence) for sentence in sentences] if isinstance(sentences, list) else None
    return {
        "id": fields.identifier(ref.get("ref_id")),
        "ann_id": fields.identifier(ref.get("ann_id")),
        "sentences": plain,
    }


def _plain_sentence(sentence: Any) -> fields.Record:
    if not isinstance(sentence, dict):
        return {}
    text = sentence.get("sent")
    return {"id": fields.identifier(sentence.get("sent_id")), "sent": text if isinstance(text, str) else None}
