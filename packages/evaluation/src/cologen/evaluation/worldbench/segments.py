"""Which ground a picture has, and which of its pixels look like which colour of objects.

Each pixel is the ground, the ground in shadow, one of the colours that are seen on this ground, or none of them. The
colour that most of a connected region's pixels look like makes a segment: an object, or what others leave of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from cologen.datagen.world.levels import LevelName
from cologen.datagen.world.vocabulary import GROUND_CLASSES
from cologen.evaluation.records import Picture
from cologen.evaluation.worldbench.ground import likeliest_ground
from cologen.evaluation.worldbench.palette import bins_of, palette, without_tint

_NEIGHBOURHOOD = 0.6
"""Pixels: the width of the Gaussian within which neighbours speak for a pixel."""
_LEAST_GROUND = 0.4
"""The share of pixels that look like the ground, below which a picture has none."""
_MOST_RIMS = 4
"""How many pixels are taken off all around before a segment counts as one."""
_LEAST_CORE = 0.25
"""What has to be left of each part then, as a share of the least area of a segment."""
_THICK = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=np.uint8)

Share = Float32[np.ndarray, "height width"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the pixels look like: probabilities that sum to 1 at each.

    ``colors[..., i]`` belongs to ``color_names[i]``; ``backdrop`` is the ground, in light or shadow; the rest is
    nothing known.
    """

    ground: str | None
    color_names: tuple[str, ...]
    colors: Float32[np.ndarray, "height width colors"]
    backdrop: Share

    def apart_from_colors(self, color: int) -> Share:
        """The probability of one colour where no other colour is thought of: textures and shadows mix up neighbours."""
        one = self.colors[..., color]
        return one / (1 - self.colors.sum(axis=-1) + one).clip(1e-9)


@dataclass(frozen=True, slots=True)
class Segment:
    """A connected region of one colour, an index of the evidence's ``color_names``."""

    color: int
    pixels: Bool[np.ndarray, "height width"]
    area: int

    @property
    def middle(self) -> tuple[float, float]:
        """Of the region's box, in pixels right and down."""
        left, top, width, height = cv2.boundingRect(self.pixels.astype(np.uint8))
        return left + width / 2, top + height / 2


def evidence(picture: Picture, level: LevelName) -> Evidence:
    """The most likely ground, and the classes of the pixels if it is the one."""
    found, bins = palette(level), bins_of(picture)
    chosen = likeliest_ground(picture, bins, found)
    classes = found.classes[chosen]
    log_joint = classes.log_joint[bins]
    lit = log_joint.argmax(axis=-1) == log_joint.shape[-1] - 3
    if lit.any():
        untinted = without_tint(picture, picture[lit].mean(axis=0, dtype=np.float32), classes.ground_mean)
        log_joint[..., -3:-1] = classes.log_backdrop[bins_of(untinted)]
    joint = cv2.GaussianBlur(log_joint, (3, 3), _NEIGHBOURHOOD)
    joint = np.exp(joint - joint.max(axis=-1, keepdims=True))
    joint /= joint.sum(axis=-1, keepdims=True)
    backdrop = joint[..., -3] + joint[..., -2]
    ground = GROUND_CLASSES[chosen] if backdrop.mean() >= _LEAST_GROUND else None
    return Evidence(ground, classes.color_names, joint[..., :-3], backdrop)


def segments(evidence: Evidence, least_area: float) -> tuple[Segment, ...]:
    """The regions of at least ``least_area`` pixels that are three pixels thick somewhere, the largest first.

    Thinner ones are where two colours blend, or a shadow's rim.
    """
    labels = np.concatenate([evidence.colors, evidence.backdrop[..., None]], axis=-1).argmax(axis=-1)
    counts = np.bincount(labels.ravel(), minlength=len(evidence.color_names) + 1)
    found: list[Segment] = []
    for color in np.flatnonzero(counts[:-1] >= least_area).tolist():
        here = (labels == color).astype(np.uint8)
        number, pieces = cv2.connectedComponents(here, connectivity=8)
        areas = np.bincount(pieces.ravel(), minlength=number)
        thick = np.bincount(pieces[cv2.erode(here, _THICK) > 0], minlength=number) > 0
        kept = np.flatnonzero((areas >= least_area) & thick).tolist()
        found += [Segment(color, pieces == i, int(areas[i])) for i in kept if i > 0]
    return tuple(sorted(found, key=lambda segment: -segment.area))


def split(segment: Segment, least_area: float) -> tuple[Segment, ...]:
    """The parts of a segment that hang together by a narrow bridge only; the segment itself if there is none.

    Two objects of one colour that touch are one segment. Its rim is taken off until it falls apart, and each pixel goes
    to the nearest part.
    """
    core = segment.pixels.astype(np.uint8)
    for _ in range(_MOST_RIMS):
        core = cv2.erode(core, _THICK).astype(np.uint8)
        number, pieces = cv2.connectedComponents(core, connectivity=4)
        areas = np.bincount(pieces.ravel(), minlength=number)
        large = [i for i in range(1, number) if areas[i] >= _LEAST_CORE * least_area]
        if len(large) > 1:
            apart = np.stack([cv2.distanceTransform((pieces != i).astype(np.uint8), cv2.DIST_L2, 3) for i in large])
            owner = apart.argmin(axis=0)
            parts = [segment.pixels & (owner == i) for i in range(len(large))]
            return tuple(Segment(segment.color, pixels, int(pixels.sum())) for pixels in parts)
    return (segment,)
