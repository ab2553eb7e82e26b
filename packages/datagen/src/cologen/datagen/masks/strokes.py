"""Random masks as LaMa draws them (Suvorov et al. 2022): chained thick strokes, or rectangles, never both in one mask.

LaMa's lengths are absolute pixels, so its training masks cover 33 % of a 256² picture but 3.5 % of a 1024² one. Here
lengths scale with the picture (``reference_side``); the presets whose names end in ``-px`` keep the original pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from cologen.datagen.records import Reason, RejectedError
from cologen.datagen.rle import Mask

MAX_TRIES = 32
_ANGLES = 0.01 + np.arange(4)  # radians; LaMa's four directions
_SINES, _COSINES = np.sin(_ANGLES).tolist(), np.cos(_ANGLES).tolist()
_SEGMENTS = 5  # a stroke has one to five


@dataclass(frozen=True, slots=True, kw_only=True)
class Strokes:
    """Chained lines: how many, and the spans above LaMa's minima of 10 px of length and 5 px of width."""

    num_strokes: tuple[int, int]
    length_span: int
    width_span: int
    minimum_length: int = 10
    minimum_width: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """Rectangles: how many, the range of their sides, and the margin kept free along the border (pixels)."""

    num_boxes: tuple[int, int]
    side: tuple[int, int]
    margin: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomMaskPreset:
    """One kind is drawn per mask: boxes with probability ``box_share``, strokes otherwise.

    Pixels count on a picture whose √(height × width) is ``reference_side``; None means absolute pixels everywhere.
    """

    strokes: Strokes
    boxes: Boxes | None = None
    box_share: float = 0.0
    reference_side: int | None = 256


_TRAIN = RandomMaskPreset(
    strokes=Strokes(num_strokes=(1, 5), length_span=200, width_span=100),
    boxes=Boxes(num_boxes=(1, 4), side=(30, 150), margin=10),
    box_share=0.5,
)
_THIN = RandomMaskPreset(strokes=Strokes(num_strokes=(4, 50), length_span=40, width_span=10))
_MEDIUM = RandomMaskPreset(
    strokes=Strokes(num_strokes=(4, 5), length_span=100, width_span=50),
    boxes=Boxes(num_boxes=(1, 5), side=(10, 50)),
    box_share=0.3 / 1.3,
)
_THICK = RandomMaskPreset(
    strokes=Strokes(num_strokes=(1, 5), length_span=200, width_span=100),
    boxes=Boxes(num_boxes=(1, 3), side=(30, 150), margin=10),
    box_share=0.3 / 1.3,
)
_CLASS_DEFAULT = RandomMaskPreset(
    # LaMa's third part, masks of segmented objects, is the object kind of this package.
    strokes=Strokes(num_strokes=(0, 10), length_span=60, width_span=20),
    boxes=Boxes(num_boxes=(0, 3), side=(30, 100), margin=10),
    box_share=0.5,
)
_THIN_512 = RandomMaskPreset(strokes=Strokes(num_strokes=(4, 70), length_span=100, width_span=20))
_MEDIUM_512 = RandomMaskPreset(
    strokes=Strokes(num_strokes=(4, 10), length_span=200, width_span=100),
    boxes=Boxes(num_boxes=(1, 5), side=(30, 150)),
    box_share=0.3 / 1.3,
)
_THICK_512 = RandomMaskPreset(
    strokes=Strokes(num_strokes=(1, 5), length_span=450, width_span=250),
    boxes=Boxes(num_boxes=(1, 4), side=(30, 300), margin=10),
    box_share=0.3 / 1.3,
)


def _in_pixels(preset: RandomMaskPreset) -> RandomMaskPreset:
    return RandomMaskPreset(strokes=preset.strokes, boxes=preset.boxes, box_share=preset.box_share, reference_side=None)


PRESETS: dict[str, RandomMaskPreset] = {
    "train": _TRAIN,
    "thin": _THIN,
    "medium": _MEDIUM,
    "thick": _THICK,
    "class-default": _CLASS_DEFAULT,
    "train-px": _in_pixels(_TRAIN),
    "thin-256-px": _in_pixels(_THIN),
    "medium-256-px": _in_pixels(_MEDIUM),
    "thick-256-px": _in_pixels(_THICK),
    "thin-512-px": _in_pixels(_THIN_512),
    "medium-512-px": _in_pixels(_MEDIUM_512),
    "thick-512-px": _in_pixels(_THICK_512),
    "class-default-px": _in_pixels(_CLASS_DEFAULT),
}


def random_mask(generator: np.random.Generator, height: int, width: int, preset: RandomMaskPreset) -> Mask:
    """A mask of 1 where pixels are hidden; never empty, never full.

    Raises:
        RejectedError: no try left something hidden and something visible (only on pictures of a few pixels, or smaller
            than the brushes of a preset in absolute pixels).
    """
    scale = 1.0 if preset.reference_side is None else math.sqrt(height * width) / preset.reference_side
    for _ in range(MAX_TRIES):
        mask = np.zeros((height, width), dtype=np.uint8)
        if preset.boxes is not None and generator.random() < preset.box_share:
            _draw_boxes(generator, mask, preset.boxes, scale)
        else:
            _draw_strokes(generator, mask, preset.strokes, scale)
        if 0 < cv2.countNonZero(mask) < height * width:
            return mask
    raise RejectedError(Reason.NO_VALID_MASK, f"{MAX_TRIES} random masks on {height} x {width} were empty or full")


def _draw_strokes(generator: np.random.Generator, mask: Mask, strokes: Strokes, scale: float) -> None:
    height, width = mask.shape
    num_strokes = int(generator.integers(strokes.num_strokes[0], strokes.num_strokes[1] + 1))
    # All numbers of a mask in one call: start x, start y, segments, then direction, length and width per segment.
    draws: list[list[float]] = generator.random((num_strokes, 3 + 3 * _SEGMENTS)).tolist()
    for index, (start_x, start_y, segments, *rest) in enumerate(draws):
        x, y = int(start_x * width), int(start_y * height)
        side = -1.0 if index % 2 == 0 else 1.0  # every other stroke turns the other way: 2π minus the angle
        for segment in range(0, 3 * (1 + int(segments * _SEGMENTS)), 3):
            direction, length_draw, width_draw = rest[segment : segment + 3]
            angle = int(direction * 4)
            length = scale * (strokes.minimum_length + int(length_draw * strokes.length_span))
            brush = max(1, round(scale * (strokes.minimum_width + int(width_draw * strokes.width_span))))
            end_x = min(max(int(x + side * length * _SINES[angle]), 0), width)
            end_y = min(max(int(y + length * _COSINES[angle]), 0), height)
            cv2.line(mask, (x, y), (end_x, end_y), 1, brush)
            x, y = end_x, end_y


def _draw_boxes(generator: np.random.Generator, mask: Mask, boxes: Boxes, scale: float) -> None:
    height, width = mask.shape
    margin = min(round(scale * boxes.margin), (min(height, width) - 1) // 2)
    lowest, highest = (max(1, round(scale * side)) for side in boxes.side)
    num_boxes = int(generator.integers(boxes.num_boxes[0], boxes.num_boxes[1] + 1))
    draws: list[list[float]] = generator.random((num_boxes, 4)).tolist()
    for draw_width, draw_height, draw_x, draw_y in draws:
        box_width = _side(draw_width, lowest, min(highest, width - 2 * margin))
        box_height = _side(draw_height, lowest, min(highest, height - 2 * margin))
        x = margin + int(draw_x * (width - 2 * margin - box_width + 1))
        y = margin + int(draw_y * (height - 2 * margin - box_height + 1))
        mask[y : y + box_height, x : x + box_width] = 1


def _side(draw: float, lowest: int, highest: int) -> int:
    """A side in [lowest, highest), as LaMa's randint, or the highest that fits."""
    return min(lowest + int(draw * max(highest - lowest, 1)), highest)
