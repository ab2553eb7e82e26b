"""The segmenter that needs no checkpoints: salient regions, cut out by GrabCut.

It finds few objects and does not name them. A picture in which nothing stands out, such as plain texture, has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float64, Int32, UInt8

from cologen.datagen import rle
from cologen.datagen.concepts.background import contrast, foreground
from cologen.datagen.concepts.candidates import Groups, candidates
from cologen.datagen.concepts.grabcut import refined
from cologen.datagen.concepts.objectness import objectness
from cologen.datagen.concepts.superpixels import Superpixels, superpixels
from cologen.datagen.images import Picture
from cologen.datagen.records import ObjectMask
from cologen.datagen.rle import Mask

_MIN_SIDE = 16
"""The shortest side of the working picture in pixels, so that even a very narrow one has inner pixels."""
_MAX_OVERLAP = 0.15
"""Of the smaller of two groups, for both to be objects."""
_INSIDE = 0.9
_MAX_PART, _PARTS_COVER = 0.85, 0.75
"""Of a group's area: a part is smaller, and where two or more parts cover more, they are the objects and not it."""
_LEAST_FRAGMENT = 0.2
"""Of the largest piece of an object; an object in front may cut one in two."""
_LARGEST_PINHOLE = 0.02
"""Of the object's area; larger holes are its shape."""

_PieceAreas = Int32[np.ndarray, "pieces"]
_Unwanted = Bool[np.ndarray, "pieces"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaliencySettings:
    """What counts as an object.

    Raises:
        ValueError: a number outside the range that its description names.
    """

    max_objects: int = 4
    """At least 1."""
    min_score: float = 0.25
    """In [0, 1]; candidates below are no objects."""
    min_area: float = 0.005
    """Of the picture, in (0, 1)."""
    max_area: float = 0.7
    """Of the picture, above ``min_area`` and at most 1."""
    working_side: int = 256
    """Pixels of the long side at which objects are looked for, at least 64."""
    num_patches: int = 300
    """At least 16."""

    def __post_init__(self) -> None:
        _require(self.max_objects >= 1, "max_objects", self.max_objects, "at least 1")
        _require(0 <= self.min_score <= 1, "min_score", self.min_score, "a score in [0, 1]")
        _require(0 < self.min_area < 1, "min_area", self.min_area, "a share in (0, 1)")
        _require(self.min_area < self.max_area <= 1, "max_area", self.max_area, f"a share in ({self.min_area}, 1]")
        _require(self.working_side >= 64, "working_side", self.working_side, "at least 64 pixels")
        _require(self.num_patches >= 16, "num_patches", self.num_patches, "at least 16")


class SaliencySegmenter:
    """A ``Segmenter`` without weights; it uses pixels alone, and ``noun`` is None in all its objects."""

    name = "saliency+grabcut"

    def __init__(self, settings: SaliencySettings) -> None:
        self.settings = settings

    def __call__(
        self, pictures: Sequence[Picture], nouns: Sequence[tuple[str, ...]], keys: Sequence[str]
    ) -> list[tuple[ObjectMask, ...]]:
        """The objects of each picture, best first, none overlapping another; nouns and keys are not looked at."""
        return [self._objects(picture) for picture in pictures]

    def _objects(self, picture: Picture) -> tuple[ObjectMask, ...]:
        height, width = picture.shape[:2]
        found: list[ObjectMask] = []
        free = np.ones((height, width), dtype=np.uint8)
        for mask, score in _cut_out(_working_picture(picture, self.settings.working_side), self.settings):
            full = _enlarged(mask, height, width) & free
            if self.settings.min_area <= np.count_nonzero(full) / full.size <= self.settings.max_area:
                free -= full
                counts = rle.encode(full)
                found.append(ObjectMask(noun=None, box=rle.box(counts, height, width), rle=counts, score=score))
        return tuple(found)


def _require(holds: bool, name: str, value: float | int, expected: str) -> None:
    if not holds:
        raise ValueError(f"{name} is {value}, expected {expected}")


def _working_picture(picture: Picture, side: int) -> Picture:
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size = max(_MIN_SIDE, round(width * scale)), max(_MIN_SIDE, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _cut_out(picture: Picture, settings: SaliencySettings) -> list[tuple[Mask, float]]:
    """Masks of the working picture with their scores, best first."""
    patches = superpixels(picture, settings.num_patches)
    likely = foreground(patches)
    groups = candidates(patches, likely, settings.min_area, settings.max_area)
    scores = objectness(patches, likely, contrast(patches, likely), groups)
    chosen = _chosen(patches, groups, scores, settings)
    guesses = [groups[i][patches.labels].astype(np.uint8) for i in chosen]
    everything = np.bitwise_or.reduce([np.zeros_like(patches.labels, dtype=np.uint8), *guesses])
    return [
        (_tidied(refined(picture, guess, everything - guess)), float(scores[i]))
        for i, guess in zip(chosen, guesses, strict=True)
    ]


def _chosen(
    patches: Superpixels, groups: Groups, scores: Float64[np.ndarray, "groups"], settings: SaliencySettings
) -> list[int]:
    """The best groups that do not overlap, each replaced by its parts where these are objects of their own."""
    shared = (groups * patches.areas) @ groups.T.astype(np.float64)
    areas = np.diagonal(shared)
    order = [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] >= settings.min_score]
    chosen: list[int] = []
    for i in order:
        if _is_apart(i, chosen, shared):
            within = [j for j in order if shared[i, j] >= _INSIDE * areas[j] and areas[j] <= _MAX_PART * areas[i]]
            parts = _disjoint(within, shared)
            whole = len(parts) < 2 or areas[parts].sum() < _PARTS_COVER * areas[i]
            chosen.extend([i] if whole else parts)
    return sorted(chosen, key=order.index)[: settings.max_objects]


def _disjoint(order: Sequence[int], shared: Float64[np.ndarray, "groups groups"]) -> list[int]:
    chosen: list[int] = []
    for i in order:
        if _is_apart(i, chosen, shared):
            chosen.append(i)
    return chosen


def _is_apart(i: int, others: Sequence[int], shared: Float64[np.ndarray, "groups groups"]) -> bool:
    return all(shared[i, j] <= _MAX_OVERLAP * min(shared[i, i], shared[j, j]) for j in others)


def _tidied(mask: Mask) -> Mask:
    """The mask with a smooth outline, without small fragments and holes."""
    whole = _without_pieces(cv2.medianBlur(mask, 5), lambda areas: areas < _LEAST_FRAGMENT * areas.max())
    largest_pinhole = _LARGEST_PINHOLE * np.count_nonzero(whole)
    return 1 - _without_pieces(1 - whole, lambda areas: areas <= largest_pinhole)


def _without_pieces(mask: Mask, unwanted: Callable[[_PieceAreas], _Unwanted]) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count == 1:
        return mask
    kept = np.append(False, ~unwanted(np.asarray(stats[1:, cv2.CC_STAT_AREA])))
    pieces: Int32[np.ndarray, "height width"] = np.asarray(labels, dtype=np.int32)
    return kept[pieces].astype(np.uint8)


def _enlarged(mask: Mask, height: int, width: int) -> UInt8[np.ndarray, "full_height full_width"]:
    """The mask at the picture's own size, its outline smooth: a blurred edge enlarged, and cut in the middle."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1)
    shrinks = max(height, width) < max(mask.shape)
    resized = cv2.resize(soft, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return (resized > 0.5).astype(np.uint8)
