"""Whose outputs are scored: the model's, and answers that are known, which say what a metric's figures mean.

``oracle`` and ``identity`` are the two lines to read every table by: the target itself, and the source left as it is.
``blank``, ``noise`` and ``shuffled`` are at chance: a metric on which they do well measures nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from cologen.datagen import images
from cologen.datagen.images import addresses
from cologen.datagen.randomness import generator
from cologen.datagen.records import RejectedError
from cologen.evaluation.records import Expected, Item, Picture, ScoreError

Candidate = Literal["model", "oracle", "identity", "blank", "noise", "shuffled"]
MOST_STRETCHED = 64
_BUFFER = re.compile(r"<_io\.BytesIO object at 0x[0-9a-f]+>")  # as Pillow names what it cannot read
CANDIDATES: tuple[Candidate, ...] = get_args(Candidate)

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "model": "the outputs that are evaluated",
        "oracle": "the target itself, or a photograph of the subject",
        "identity": "the source, left as it is",
        "blank": "mid-grey",
        "noise": "uniform noise",
        "shuffled": "the output of another item",
    }
)


def decoded(path: Path) -> Picture:
    """A picture of an outputs' folder, upright RGB.

    Raises:
        ScoreError: ``unreadable``; or ``wrong_size``, where a network's resizing would take gigabytes.
    """
    try:
        picture = images.decode(images.read_bytes(path.parent, addresses.address(path.name)))
    except RejectedError as error:
        raise ScoreError("unreadable", f"{path.name}: {_BUFFER.sub('the file', str(error))}") from None
    height, width = picture.shape[:2]
    if max(height, width) > MOST_STRETCHED * min(height, width):
        raise ScoreError(
            "wrong_size", f"{path.name} is {width} x {height}: at most {MOST_STRETCHED} times as long as wide"
        )
    return picture


def known_output(candidate: Candidate, item: Item, expected: Expected) -> Picture:
    """The answer of a candidate that needs no model, one for all outputs of an item.

    Raises:
        ScoreError: ``missing``: the dataset has no such picture for this item.
    """
    if candidate == "oracle":
        return _present(expected.target, expected.references, "the dataset has no target for it")
    if candidate == "identity":
        return _present(expected.source, (), "the item has no source")
    like = _present(
        expected.target, (expected.source, *expected.references), "the item has no picture to be sized like"
    )
    if candidate == "blank":
        return np.full_like(like, 128)
    return generator(0, "noise", item.item_id).integers(0, 256, size=like.shape, dtype=np.uint8)


def has_answer(candidate: Candidate, expected: Expected) -> bool:
    """Whether the candidate has an answer for an item such as this one."""
    if candidate == "oracle":
        return expected.target is not None or bool(expected.references)
    return candidate != "identity" or expected.source is not None


def _present(first: Picture | None, others: tuple[Picture | None, ...], why_not: str) -> Picture:
    for picture in (first, *others):
        if picture is not None:
            return picture
    raise ScoreError("missing", why_not)
