"""The frozen records that modules share: pictures with their objects, boxes, and rejections.

Boxes are xyxy in pixels, half-open (``x1`` and ``y1`` are just outside); masks are COCO run lengths over the whole
picture. Records carry names and counts, never pixels, so they travel cheaply between processes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

ObjectKind = Literal["thing", "stuff", "crowd"]

_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")


def without_addresses(words: str) -> str:
    """An exception's message without memory addresses, which differ from run to run."""
    return _ADDRESS.sub("at 0x…", words)


class Reason(StrEnum):
    """Why a sample or an annotation was rejected: the short codes of ``rejected-*.parquet``."""

    MISSING_IMAGE = "missing_image"
    EMPTY_FILE = "empty_file"
    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED_IMAGE = "truncated_image"
    UNSUPPORTED_MODE = "unsupported_mode"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    SIZE_MISMATCH = "size_mismatch"
    UNSUPPORTED_ARCHIVE = "unsupported_archive"
    UNSAFE_PATH = "unsafe_path"
    MALFORMED_JSON = "malformed_json"
    INVALID_UTF8 = "invalid_utf8"
    MALFORMED_RECORD = "malformed_record"
    DUPLICATE_ID = "duplicate_id"
    NULL_CAPTION = "null_caption"
    EMPTY_INSTRUCTION = "empty_instruction"
    NO_NOUNS = "no_nouns"
    AMBIGUOUS = "ambiguous"
    OUTSIDE_IMAGE = "outside_image"
    DEGENERATE_POLYGON = "degenerate_polygon"
    EMPTY_MASK = "empty_mask"
    NO_OBJECTS = "no_objects"
    NO_VALID_MASK = "no_valid_mask"
    UNJUDGED = "unjudged"
    LOW_SCORE = "low_score"
    IDENTICAL_PAIR = "identical_pair"
    DUPLICATE_IMAGE = "duplicate_image"
    NO_CONDITION = "no_condition"
    UNREADABLE = "unreadable"
    INTERNAL_ERROR = "internal_error"


class RejectedError(Exception):
    """One sample or annotation cannot be used; caught and counted where samples are looped over.

    ``detail`` may quote another exception: what it says is the same at every run (``without_addresses``).
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        detail = without_addresses(detail)
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"

    def of(self, sample_id: str, stage: str) -> Rejection:
        """The rejection of this sample or annotation, for the manifest."""
        return Rejection(sample_id=sample_id, stage=stage, reason=self.reason, detail=self.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A row of ``rejected-*.parquet``: ``sample_id`` names the sample, or the annotation as ``…@annotation``."""

    sample_id: str
    stage: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An axis-aligned box, xyxy in pixels, half-open: it covers ``x0 <= x < x1`` and ``y0 <= y < y1``."""

    x0: float
    y0: float
    x1: float
    y1: float

    @classmethod
    def from_xywh(cls, x: float, y: float, width: float, height: float) -> Box:
        """COCO's form: the top left corner and the two sides, in pixels."""
        return cls(x0=x, y0=y, x1=x + width, y1=y + height)

    @property
    def width(self) -> float:
        """Pixels; 0 where the box is empty."""
        return max(0.0, self.x1 - self.x0)

    @property
    def height(self) -> float:
        """Pixels; 0 where the box is empty."""
        return max(0.0, self.y1 - self.y0)

    @property
    def area(self) -> float:
        """Square pixels; 0 where the box is empty."""
        return self.width * self.height

    def clipped(self, width: int, height: int) -> Box:
        """The part inside a picture of ``width × height`` pixels, possibly empty."""
        return Box(
            x0=min(max(self.x0, 0.0), float(width)),
            y0=min(max(self.y0, 0.0), float(height)),
            x1=min(max(self.x1, 0.0), float(width)),
            y1=min(max(self.y1, 0.0), float(height)),
        )

    def xyxy(self) -> tuple[float, float, float, float]:
        """The four numbers in the order manifests store them."""
        return self.x0, self.y0, self.x1, self.y1


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectMask:
    """One object of a picture.

    ``rle`` holds COCO's compressed counts over the whole picture and ``box`` the tight box of those pixels. ``noun`` is
    None where the segmenter finds objects without naming them (saliency). ``score`` is in [0, 1]; annotations have 1.
    Only a ``thing`` is one countable object; ``stuff`` is a region (sky) and ``crowd`` an uncounted group of things.
    """

    noun: str | None
    box: Box
    rle: bytes
    score: float = 1.0
    kind: ObjectKind = "thing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """Words that mean some objects of a picture and no others; ``targets`` are places in its ``objects``."""

    text: str
    targets: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One picture of a dataset and all that is known of it.

    ``image_uri`` is relative to the dataset's root: a path, ``shard.tgz#member`` or ``file.parquet#row=…&column=…``.
    ``width`` and ``height`` are pixels of the upright picture (EXIF rotation applied). ``captions`` are
    never blank, and none only where the dataset has none at all (RefCOCO, LVIS).

    ``expressions`` refer to objects. ``absent_nouns`` are known not to be in the picture, and of ``partial_nouns``
    there may be more than ``objects`` says (LVIS's negative and not exhaustively annotated categories).
    """

    image_id: str
    image_uri: str
    width: int
    height: int
    split: str
    captions: tuple[str, ...] = ()
    objects: tuple[ObjectMask, ...] = ()
    expressions: tuple[Expression, ...] = ()
    absent_nouns: tuple[str, ...] = ()
    partial_nouns: tuple[str, ...] = ()
