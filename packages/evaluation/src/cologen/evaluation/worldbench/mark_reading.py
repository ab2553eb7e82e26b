"""Reads the mark that a grounding output adds to its source: where the pixels changed, and in which colour.

The source is known, so no object has to be recognised: a frame is what became the frame's colour around something that
did not, a cover what became a blend of source and colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from cologen.datagen.grounding.palette import PALETTE, Color
from cologen.datagen.grounding.policy import GroundingPolicy
from cologen.evaluation.records import Picture
from cologen.evaluation.worldbench.differences import CHANGED, distance

MarkKind = Literal["frame", "cover"]

_LEAST_PART = 0.25
"""Connected changes with fewer pixels, as a share of those of the largest, are no marks of their own."""
_SOLID = 0.5
"""The share of a row or column of a frame's box that has to be changed for it to belong to the frame."""
_OPACITIES = np.linspace(*GroundingPolicy().opacity, 7)
_OPAQUE = 1.0

Pixels = Bool[np.ndarray, "height width"]
Values = UInt8[np.ndarray, "pixels 3"]


@dataclass(frozen=True, slots=True)
class ReadMark:
    """``color`` is a name of ``grounding.palette``; ``region`` the pixels inside the frames, or under the cover.

    Where nothing changed, the colour is None and the region is empty. What is of another kind has a colour and no
    region: a patch that is solid all over is no frame, and what hides all below it is no cover.
    """

    color: str | None
    region: Pixels


def read_mark(output: Picture, source: Picture, kind: MarkKind) -> ReadMark:
    """The mark of a kind in an output of the source's size."""
    changed = distance(output, source) > CHANGED
    parts = _parts(changed)
    if not parts:
        return ReadMark(None, np.zeros_like(changed))
    whole = np.logical_or.reduce(parts)
    values = output[whole], source[whole]
    if kind == "frame":
        _, color = _blend(*values, [_OPAQUE])
        return ReadMark(color.name, np.logical_or.reduce([_inside_of_frame(part) for part in parts]))
    error, color = _blend(*values, _OPACITIES.tolist())
    return ReadMark(color.name, whole & (error < _error(*values, color.rgb, _OPAQUE)))


def _parts(changed: Pixels) -> list[Pixels]:
    """Connected changes, small ones left out; a gap of a pixel does not part them."""
    closed = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), dtype=np.uint8))
    number, labels = cv2.connectedComponents(closed, connectivity=8)
    pieces = [(labels == i) & changed for i in range(1, number)]
    largest = max((int(piece.sum()) for piece in pieces), default=0)
    return [piece for piece in pieces if piece.sum() > 1 and piece.sum() >= _LEAST_PART * largest]


def _inside_of_frame(part: Pixels) -> Pixels:
    """The box within the lines: what is left of the outer box when its solid rows and columns are taken off; empty of
    a part that is solid all over."""
    left, top, width, height = cv2.boundingRect(part.astype(np.uint8))
    box = part[top : top + height, left : left + width]
    rows, columns = box.mean(axis=1) >= _SOLID, box.mean(axis=0) >= _SOLID
    inside = np.zeros_like(part)
    up, down = _leading(rows), height - _leading(rows[::-1])
    before, after = _leading(columns), width - _leading(columns[::-1])
    if up < down and before < after:
        inside[top + up : top + down, left + before : left + after] = True
    return inside


def _leading(flags: Bool[np.ndarray, " _"]) -> int:
    """How many are true before the first that is false."""
    return len(flags) if flags.all() else int(flags.argmin())


def _blend(output: Values, source: Values, opacities: Sequence[float]) -> tuple[float, Color]:
    """The colour that explains the changed pixels best, at any of the opacities, and what it leaves unexplained."""
    errors = [min(_error(output, source, color.rgb, opacity) for opacity in opacities) for color in PALETTE]
    best = int(np.argmin(errors))
    return errors[best], PALETTE[best]


def _error(output: Values, source: Values, rgb: tuple[int, int, int], opacity: float) -> float:
    expected = (1 - opacity) * source.astype(np.float32) + opacity * np.array(rgb, dtype=np.float32)
    return float(np.abs(output - expected).mean())
