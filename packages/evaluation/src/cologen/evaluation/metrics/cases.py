"""What metrics take from a case: the pictures that an output is compared with, and what the networks read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from cologen.evaluation.records import Case, ConditionMap, Need, Picture, Region, ScoreError

Reference = Literal["source", "target", "references"]
"""With which pictures an output is compared; with several references, the value is the mean over them."""
Part = Literal["inside", "outside"]
"""The pixels of a picture that count: those in the item's region, or all others."""


def pictures_of(case: Case, reference: Reference) -> tuple[Picture, ...]:
    """The pictures that the output is compared with.

    Raises:
        ScoreError: ``bad_input``: the item has none.
    """
    if reference == "references":
        found = case.expected.references
    else:
        picture = case.expected.source if reference == "source" else case.expected.target
        found = () if picture is None else (picture,)
    if not found:
        raise ScoreError("bad_input", f"{case.item.item_id} has no {reference} to compare the output with")
    return found


def region_of(case: Case) -> Region:
    """The item's region.

    Raises:
        ScoreError: ``bad_input``: it has none.
    """
    if case.expected.region is None:
        raise ScoreError("bad_input", f"{case.item.item_id} has no region")
    return case.expected.region


def condition_of(case: Case) -> ConditionMap:
    """The control map that the output should have.

    Raises:
        ScoreError: ``bad_input``: the item has none.
    """
    if case.expected.condition is None:
        raise ScoreError("bad_input", f"{case.item.item_id} has no control map")
    return case.expected.condition


def reading_of(case: Case, need: Need) -> np.ndarray:
    """What a network read in a case.

    Raises:
        ScoreError: ``bad_input``: the item lacks that picture or text; ``not_finite``: there is NaN or infinity in it.
    """
    if need not in case.readings:
        what = f"text {need.text!r}" if need.slot == "texts" else need.slot
        raise ScoreError("bad_input", f"{case.item.item_id} has no {what} for {need.network} to read")
    reading = case.readings[need]
    if not np.isfinite(reading).all():
        share = 1 - float(np.isfinite(reading).mean())
        raise ScoreError("not_finite", f"{share:.0%} of what {need.network} read in the {need.slot} is NaN or infinite")
    return reading


def mean_over(references: tuple[Picture, ...], value: Callable[[Picture], float | None]) -> float | None:
    """The mean of ``value`` over the references that it applies to; None if to none."""
    values = [found for reference in references if (found := value(reference)) is not None]
    return float(np.mean(values)) if values else None
