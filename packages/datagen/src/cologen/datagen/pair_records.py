"""The frozen records of pairs (two pictures and words) and of conditions (a picture, words and a control map)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cologen.datagen.records import Box

ConditionKind = Literal["canny", "depth", "hed", "lineart", "segmentation"]
Scores = tuple[tuple[str, float], ...]
"""A dataset's own judgements by their own names, on the dataset's own scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A source picture, words, and the target picture that they lead to.

    Addresses are those of ``images``. Where both pictures are side by side in one image, both name it, and the boxes
    are what to crop from it: whole pixels, half-open xyxy. ``width`` and ``height`` are the target's, in pixels, after
    cropping, and ``source_size`` is the source's (width, height). ``instructions`` are phrasings of one change, never
    blank, one at least.

    ``subject`` names what both pictures show, where that is all they share. ``mask_uri`` is the source with the region
    that was edited erased (alpha 0). ``more_source_uris`` name further sources, each a whole picture of any size.
    """

    pair_id: str
    source_uri: str
    target_uri: str
    width: int
    height: int
    source_size: tuple[int, int]
    split: str
    instructions: tuple[str, ...]
    source_box: Box | None = None
    target_box: Box | None = None
    mask_uri: str | None = None
    edit_type: str | None = None
    subject: str | None = None
    scores: Scores = ()
    more_source_uris: tuple[str, ...] = ()

    @property
    def instruction(self) -> str:
        """The first of ``instructions``."""
        return self.instructions[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A picture with its prompt, and the condition it is to be generated from where the dataset has one.

    ``kind`` and ``condition_uri`` are None together. ``width`` and ``height`` are the picture's, in pixels; the
    condition shows the same scene whole, but may have another size, ``condition_size`` as (width, height).
    """

    condition_id: str
    image_uri: str
    width: int
    height: int
    split: str
    prompt: str
    kind: ConditionKind | None = None
    condition_uri: str | None = None
    condition_size: tuple[int, int] | None = None
