"""Annotations and captions of pictures that are not listed: kept in rows of their own, rejected one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.readings import STAGE, Reading
from cologen.datagen.records import Image, Reason, Rejection

ORPHANS = "~orphans"
"""How the keys of their rows begin; they sort behind the pictures' numbers."""

NAMES: Mapping[str, str] = MappingProxyType({"annotations": "", "captions": "caption-"})
"""The prefix of an element's id in its rejection, by section."""


class Orphan(NamedTuple):
    """An element of ``section``, named by its id or place; ``picture`` is None where it says no picture's id."""

    section: str
    identity: str
    picture: int | None


def packed_orphans(orphans: Sequence[Orphan]) -> bytes:
    """A row's payload."""
    return json.dumps({"orphans": orphans}).encode()


def reject_orphans(dataset: str, payload: bytes) -> Reading[Image]:
    """A rejection for each, as ``dataset/picture@element`` with the id of the picture that is not there."""
    orphans = (Orphan(*values) for values in fields.parse_own(payload)["orphans"])
    return Reading(item=None, rejections=tuple(_rejection(dataset, orphan) for orphan in orphans))


def _rejection(dataset: str, orphan: Orphan) -> Rejection:
    picture = ORPHANS if orphan.picture is None else f"{orphan.picture:012d}"
    why = (
        "its image_id is no whole number"
        if orphan.picture is None
        else f"its picture {orphan.picture} is not among the images"
    )
    return Rejection(
        sample_id=f"{dataset}/{picture}@{NAMES[orphan.section]}{orphan.identity}",
        stage=STAGE,
        reason=Reason.MALFORMED_RECORD,
        detail=f"{orphan.section}: {why}",
    )
