"""Reads a picture of the synthetic dataset back into its objects and its ground, with no network and no hint."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool

from cologen.datagen.world.levels import LEVELS, LevelName
from cologen.datagen.world.outlines import outline
from cologen.evaluation.records import Picture
from cologen.evaluation.worldbench.fitting import Fit, Maps, best_fit
from cologen.evaluation.worldbench.segments import Evidence, Segment, evidence, segments, split
from cologen.evaluation.worldbench.templates import silhouette
from cologen.evaluation.worldbench.textures import texture_of

WORKING_SIDE = {"simple": 32, "usual": 64, "rich": 128}
"""Pixels of the shorter side in which pictures of a level are read, whatever their own size."""
CLEAR_FIT = {"simple": 0.84, "usual": 0.8, "rich": 0.8}
"""How well a shape has to fit its segment to be told at all; at the upper levels others may hide a part."""
CLEAR_LEAD, SURE_FIT = 0.01, 0.95
"""How much better it has to fit than other shapes, and how well for that to be no matter."""
_WHOLE_FIT = 0.93
"""A fit above which a segment is not thought to be a fragment."""
_FRAGMENT_BONUS = 0.02
_LEAST_PART = 0.5
"""The part of what every object of a level shows of itself that a segment has to have."""
_LEAST_SHOWN = 0.55
"""The same, that a segment has to have of its own silhouette's area for this to be its shape."""
_LEAST_CORE = 0.35
"""The share of a segment's pixels off its rim, below which one that no silhouette fits is no object but a shadow."""

Mask = Bool[np.ndarray, "height width"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadObject:
    """What was found: ``shape`` and ``texture`` are None where no silhouette fits.

    ``x``, ``y``, ``scale`` and ``angle`` as a ``SceneObject`` has them. ``mask`` are its visible pixels in the
    picture's own size, ``fit`` is the soft intersection over union of the silhouette, in [0, 1].
    """

    shape: str | None
    color: str
    texture: str | None
    x: float
    y: float
    scale: float
    angle: float
    mask: Mask
    fit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The ground, None where it is none of them, and the objects, those with the most pixels first."""

    ground: str | None
    objects: tuple[ReadObject, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """A fit in working pixels, with the pixels that it explains and their colour's index."""

    fit: Fit
    color: int
    pixels: Mask
    clear: bool
    """Whether the fit's shape is the object's."""


def read(picture: Picture, level: LevelName) -> Reading:
    """The objects and the ground of any picture, rendered or generated."""
    height, width = picture.shape[:2]
    shrink = WORKING_SIDE[level] / min(height, width)
    size = round(width * shrink), round(height * shrink)
    method = cv2.INTER_AREA if shrink < 1 else cv2.INTER_CUBIC
    small = picture if shrink == 1 else cv2.resize(picture, size, interpolation=method).astype(np.uint8)
    seen = evidence(small, level)
    if seen.ground is None:
        return Reading(ground=None, objects=())
    found = _found(seen, level)
    objects = tuple(_object(one, found, seen.color_names[one.color], small, (height, width), level) for one in found)
    return Reading(ground=seen.ground, objects=objects)


def _found(seen: Evidence, level: LevelName) -> list[_Found]:
    """The best fit of each segment, the largest first; what a fit explains is not fitted again."""
    least_area = _LEAST_PART * LEVELS[level].min_visible * _smallest_area(level)
    parts = segments(seen, least_area)
    left, found = list(parts), list[_Found]()
    taken = np.zeros(seen.backdrop.shape, dtype=bool)
    while left:
        part = left[0]
        others = taken | _union([other for other in parts if other.color != part.color], taken.shape)
        fit, used = _best_of(part, _fragments(part, left, level), seen, others, level)
        pixels = _union(used, taken.shape)
        clear = _is_clear(fit, pixels, level)
        if not clear and len(pieces := split(part, least_area)) > 1:
            left = [*pieces, *left[1:]]
            continue
        if clear or _is_solid(pixels):
            found.append(_Found(fit, part.color, pixels, clear))
        taken |= pixels
        left = [other for other in left if not any(other is one for one in used)]
    return found


def _best_of(
    part: Segment, fragments: list[Segment], seen: Evidence, others: Mask, level: LevelName
) -> tuple[Fit, list[Segment]]:
    """The fit of the segment alone or, if that is better, of it with fragments of its colour that may belong to it."""
    color = seen.apart_from_colors(part.color)
    alone = best_fit(Maps.of(color, part.pixels, others), level)
    if not fragments or alone.value >= _WHOLE_FIT:
        return alone, [part]
    group = [part, *fragments]
    together = best_fit(Maps.of(color, _union(group, others.shape), others), level)
    return (together, group) if together.value > alone.value - _FRAGMENT_BONUS else (alone, [part])


def _fragments(part: Segment, left: list[Segment], level: LevelName) -> list[Segment]:
    """Other segments of the same colour, as near as parts of one object are."""
    reach = 2 * max(LEVELS[level].sizes.values()) * WORKING_SIDE[level]
    x, y = part.middle
    return [
        other
        for other in left
        if other is not part
        and other.color == part.color
        and np.hypot(other.middle[0] - x, other.middle[1] - y) < reach
    ]


def _is_clear(fit: Fit, pixels: Mask, level: LevelName) -> bool:
    """Whether the fit's shape can be told, and the pixels are as much of it as can be expected to be visible."""
    told = fit.value >= SURE_FIT or (fit.value >= CLEAR_FIT[level] and fit.lead >= CLEAR_LEAD)
    expected = LEVELS[level].min_visible * outline(fit.shape).area * fit.radius**2
    return told and bool(np.count_nonzero(pixels) >= _LEAST_SHOWN * expected)


def _is_solid(pixels: Mask) -> bool:
    core = cv2.erode(pixels.astype(np.uint8), np.ones((3, 3), dtype=np.uint8))
    return bool(np.count_nonzero(core) >= _LEAST_CORE * np.count_nonzero(pixels))


def _union(parts: list[Segment], shape: tuple[int, ...]) -> Mask:
    whole = np.zeros(shape, dtype=bool)
    for part in parts:
        whole |= part.pixels
    return whole


def _smallest_area(level: LevelName) -> float:
    """Working pixels."""
    radius = min(LEVELS[level].sizes.values()) * WORKING_SIDE[level]
    return radius**2 * min(outline(shape).area for shape in LEVELS[level].shapes)


def _object(
    one: _Found, everything: list[_Found], color: str, small: Picture, size: tuple[int, int], level: LevelName
) -> ReadObject:
    height, width = small.shape[:2]
    fit, mask = one.fit, _with_rim(one, everything).astype(np.uint8)
    return ReadObject(
        shape=fit.shape if one.clear else None,
        color=color,
        texture=texture_of(small, fit, color, one.pixels, level) if one.clear else None,
        x=fit.x / width,
        y=fit.y / height,
        scale=fit.radius / min(height, width),
        angle=fit.angle,
        mask=cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_NEAREST).astype(bool),
        fit=fit.value,
    )


def _with_rim(one: _Found, everything: list[_Found]) -> Mask:
    """The segment's pixels and those beside it that are half covered: their blended colour is no object's own."""
    if not one.clear:
        return one.pixels
    fit, (height, width) = one.fit, one.pixels.shape
    covered = silhouette(fit.shape, fit.x, fit.y, fit.radius, fit.angle, max(height, width))[:height, :width] >= 0.5
    beside = cv2.dilate(one.pixels.astype(np.uint8), np.ones((3, 3), dtype=np.uint8)) > 0
    rim = covered & beside
    for other in everything:
        if other is not one:
            rim &= ~other.pixels
    return one.pixels | rim
