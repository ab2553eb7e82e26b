"""Edits with an exact target: was the right part changed, to the right colours, and nothing else.

                  target changed it            target left it
    output right  edit accuracy counts it      preservation accuracy counts it
    output wrong  a miss                       spilt over

Colours are equal within a tolerance in CIEDE2000. Pixels that the target changed are those where it differs from the
source by one grey level or more. The idea is PaintBench's, which measures in CIE76.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from cologen.evaluation.metrics.colour import ciede2000, lab_of
from cologen.evaluation.metrics.pixels import Pixels, resized_to, size_of
from cologen.evaluation.records import Picture, ScoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """An output in the target's size, beside source and target."""

    source: Picture
    target: Picture
    output: Picture

    def asked(self) -> Pixels:
        """Where the target differs from the source."""
        return (self.source != self.target).any(axis=-1)


def edit_of(output: Picture, source: Picture, target: Picture) -> Edit:
    """The output is resized to the target's size (bicubic).

    Raises:
        ScoreError: ``bad_input``: source and target differ in size.
    """
    if source.shape != target.shape:
        raise ScoreError("bad_input", f"the source has {size_of(source)} pixels, the target {size_of(target)}")
    return Edit(source=source, target=target, output=resized_to(output, size_of(target)))


def difference(first: Picture, second: Picture) -> Float[np.ndarray, "height width"]:
    """CIEDE2000 of each pixel."""
    return ciede2000(lab_of(first), lab_of(second))


def share_right(edit: Edit, pixels: Pixels, tolerance: float) -> float | None:
    """The share of ``pixels`` whose colour is the target's within ``tolerance``; None where there are none."""
    if not pixels.any():
        return None
    return float((ciede2000(lab_of(edit.output[pixels]), lab_of(edit.target[pixels])) <= tolerance).mean())


def mean_difference(edit: Edit, pixels: Pixels | None) -> float | None:
    """The mean of CIEDE2000 between output and target over ``pixels`` (all if None); None where there are none."""
    if pixels is None:
        return float(difference(edit.output, edit.target).mean())
    if not pixels.any():
        return None
    return float(ciede2000(lab_of(edit.output[pixels]), lab_of(edit.target[pixels])).mean())


def iou_of_changes(edit: Edit, tolerance: float) -> float | None:
    """IoU of the pixels that the output changed and those that it should have; None where nothing was to change.

    The output changed a pixel if its colour is farther than ``tolerance`` from the source's.
    """
    asked, changed = edit.asked(), difference(edit.output, edit.source) > tolerance
    return float((asked & changed).sum() / (asked | changed).sum()) if asked.any() else None


def iou_of_right_changes(edit: Edit, tolerance: float) -> float | None:
    """Pixels changed rightly, divided by those that should have changed or did elsewhere; None if none should have.

    PaintBench's IoU. Nothing changed gives 0, as does a change to wrong colours in the right place.
    """
    asked = edit.asked()
    right = difference(edit.output, edit.target) <= tolerance
    return float((asked & right).sum() / (asked | ~right).sum()) if asked.any() else None
