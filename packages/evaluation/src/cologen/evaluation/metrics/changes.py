"""Edits with an exact target: was the right part changed, to the right colours, and nothing else.

                  target changed it            target left it
    output right  edit accuracy counts it      preservation accuracy counts it
    output wrong  a miss                       spilt over

Two colours are equal within a tolerance in CIEDE2000, for what had to change as for what did. So the target scores 1 in
everything, and the source left as it is scores 0 in edit accuracy and 1 in preservation. The measures are PaintBench's,
which takes CIE76 and counts every pixel that differs at all as one that had to change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from cologen.evaluation.metrics.cases import Part
from cologen.evaluation.metrics.colour import ciede2000, lab_of
from cologen.evaluation.metrics.pixels import Pixels, resized_to, size_of
from cologen.evaluation.records import Picture, ScoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """An output in the target's size, beside source and target; ``tolerance`` in CIEDE2000 makes colours equal."""

    source: Picture
    target: Picture
    output: Picture
    tolerance: float

    def asked(self) -> Pixels:
        """Where the target differs from the source: what had to change."""
        return difference(self.source, self.target) > self.tolerance

    def changed(self) -> Pixels:
        """Where the output differs from the source."""
        return difference(self.source, self.output) > self.tolerance

    def right(self) -> Pixels:
        """Where the output has the target's colour."""
        return difference(self.output, self.target) <= self.tolerance


def edit_of(output: Picture, source: Picture, target: Picture, tolerance: float) -> Edit:
    """The output is resized to the target's size (bicubic).

    Raises:
        ScoreError: ``bad_input``: source and target differ in size.
    """
    if source.shape != target.shape:
        (width, height), asked = size_of(source), size_of(target)
        raise ScoreError("bad_input", f"the source has {width} x {height} pixels, the target {asked[0]} x {asked[1]}")
    return Edit(source=source, target=target, output=resized_to(output, size_of(target)), tolerance=tolerance)


def difference(first: Picture, second: Picture) -> Float[np.ndarray, "height width"]:
    """CIEDE2000 of each pixel; equal pixels, which most are, are not computed."""
    apart = (first != second).any(axis=-1)
    found = np.zeros(apart.shape)
    found[apart] = ciede2000(lab_of(first[apart]), lab_of(second[apart]))
    return found


def edit_accuracy(edit: Edit) -> float | None:
    """The share of the pixels that had to change which are right; None where none had to."""
    asked = edit.asked()
    return float(edit.right()[asked].mean()) if asked.any() else None


def preservation_accuracy(edit: Edit) -> float | None:
    """The share of the pixels that had to stay which are right; None where none had to."""
    kept = ~edit.asked()
    return float(edit.right()[kept].mean()) if kept.any() else None


def mean_difference(edit: Edit, part: Part | None) -> float | None:
    """The mean of CIEDE2000 between output and target over all pixels, those that had to change, or those to stay.

    None where there are none.
    """
    apart = difference(edit.output, edit.target)
    if part is not None:
        apart = apart[edit.asked() if part == "inside" else ~edit.asked()]
    return float(apart.mean()) if apart.size else None


def change_iou(edit: Edit) -> float | None:
    """IoU of the pixels that the output changed and those that had to change; None where none had to."""
    asked, changed = edit.asked(), edit.changed()
    return float((asked & changed).sum() / (asked | changed).sum()) if asked.any() else None


def edit_iou(edit: Edit) -> float | None:
    """Pixels changed rightly, divided by those that had to change or went wrong elsewhere; None where none had to.

    PaintBench's IoU. Nothing changed gives 0, as does a change to wrong colours in the right place.
    """
    asked, right = edit.asked(), edit.right()
    return float((asked & right).sum() / (asked | ~right).sum()) if asked.any() else None
