"""The records that evaluation's modules share: what a benchmark asks, what an output is compared with, what is scored.

    Item ──► Question ──► output (a picture) ──► Case ──► values, one per metric ──► figures

An ``Item`` is small and known from the listing alone. Pixels come later: the benchmark makes the item's ``Question``
for the model, and its ``Expected`` for scoring.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from cologen.model.tasks import TaskName

Picture = UInt8[np.ndarray, "_height _width 3"]
"""RGB in [0, 255], upright; pictures of one call may differ in size."""
Region = UInt8[np.ndarray, "_height _width"]
"""1 where an edit may change the picture, else 0; in the source's size."""
ConditionMap = UInt8[np.ndarray, "_height _width"]
"""A control map with one number per pixel: edges or nearness in [0, 255], or a class."""

Slot = Literal["output", "source", "target", "references", "texts"]
"""A place of a ``Case`` whose content a network reads."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,180}")


def is_item_id(text: str) -> bool:
    """Whether an item can have this id: safe as a file's name, 181 characters at most."""
    return _ID.fullmatch(text) is not None


class ScoreError(Exception):
    """One output cannot be scored: counted under ``reason`` where outputs are looped over, never a number.

    ``reason`` is one of ``REASONS``; ``detail`` says what was expected and what came, in one line.
    """

    def __init__(self, reason: str, detail: str) -> None:
        if reason not in REASONS:
            raise ValueError(f"unknown reason {reason!r}: expected one of {', '.join(REASONS)}")
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


REASONS: Mapping[str, str] = MappingProxyType(
    {
        "missing": "no output for this item",
        "unreadable": "the output is not a picture that can be read",
        "wrong_size": "the output's size does not fit the protocol",
        "outdated": "the dataset had another picture when the output was generated",
        "bad_input": "a picture of the dataset is missing or damaged",
        "not_finite": "the model, a network or a metric gave NaN or infinity",
        "long_text": "a text is longer than the text encoder reads",
        "no_answer": "the judge did not answer in time",
        "refused": "the judge refused to answer",
        "unparsable": "the judge's answer is not in the form that was asked for",
    }
)
"""Why an output has no value, and what each means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of a benchmark: its names and texts, without pixels.

    ``item_id`` is safe as a file's name. ``cluster`` names what is not independent between items (the source picture,
    the subject): intervals resample clusters. ``group`` is a row of the benchmark's own table (an edit type), empty
    where it has none. ``texts`` are captions by name, such as ``output`` (what the output should show) and ``source``.
    ``num_outputs`` pictures are generated. ``output_names`` are paths at which other programs write the outputs of this
    item, ``{i}`` standing for the output's number.
    """

    item_id: str
    cluster: str
    prompt: str
    task: TaskName | None = None
    group: str = ""
    texts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    num_outputs: int = 1
    output_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_item_id(self.item_id):
            raise ValueError(f"an item's id is letters, digits and ._+- (181 at most), got {self.item_id!a}")
        if self.num_outputs < 1:
            raise ValueError(f"num_outputs must be at least 1, got {self.num_outputs}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a model is asked: everything that it may see of an item.

    ``width`` and ``height`` are the output's in pixels; None leaves them to the pipeline (the source's size).
    ``earlier`` are prompts that come first, each applied to the result of the one before (MagicBrush's multi-turn).
    """

    task: TaskName | None
    prompt: str
    pictures: tuple[Picture, ...] = ()
    mask: Region | None = None
    width: int | None = None
    height: int | None = None
    negative_prompt: str | None = None
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an item's outputs are compared with; None or empty where the dataset has no such thing.

    ``references`` are photographs of the subject. ``condition`` is the control map that the output should have.
    """

    source: Picture | None = None
    target: Picture | None = None
    references: tuple[Picture, ...] = ()
    region: Region | None = None
    condition: ConditionMap | None = None
    texts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One reading of a case by a network: of one slot, and of a text by its name.

    For the slot ``references`` the reading has one row per reference. The network "judge" reads the whole case and has
    the slot ``output``.
    """

    network: str
    slot: Slot
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One output beside what is expected of it, and what the networks read in both."""

    item: Item
    output: Picture
    expected: Expected
    readings: Mapping[Need, np.ndarray] = field(default_factory=lambda: MappingProxyType({}))
