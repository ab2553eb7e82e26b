"""Random masks hide something and never everything, cover what LaMa's cover, and keep to their preset's numbers."""

import math
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cologen.datagen.masks.strokes import PRESETS, Boxes, RandomMaskPreset, Strokes, random_mask
from cologen.datagen.randomness import generator
from cologen.datagen.records import Reason, RejectedError

SCALED = sorted(name for name, preset in PRESETS.items() if preset.reference_side)
IN_PIXELS = sorted(name for name, preset in PRESETS.items() if not preset.reference_side)
THIN_LINES = Strokes(num_strokes=(1, 1), length_span=50, width_span=1, minimum_length=40, minimum_width=1)


def masks(preset: RandomMaskPreset, height: int, width: int, number: int) -> list[np.ndarray]:
    return [random_mask(generator(5, height, width, index), height, width, preset) for index in range(number)]


def coverage(name: str, side: int, number: int = 300) -> float:
    return float(np.mean([mask.mean() for mask in masks(PRESETS[name], side, side, number)]))


def assert_proper(mask: np.ndarray, height: int, width: int) -> None:
    assert mask.dtype == np.uint8
    assert mask.shape == (height, width)
    assert np.unique(mask).tolist() == [0, 1]


def test_presets_are_lamas_by_name():
    assert {"train", "thin", "medium", "thick"} <= set(SCALED)
    assert all(name.endswith("-px") for name in IN_PIXELS)
    assert PRESETS["train-px"] == replace(PRESETS["train"], reference_side=None)


# Of LaMa's configurations: strokes (how many, spans of length and width), boxes (how many, sides, margin), their share.
LAMA = {
    "train-px": ((1, 5), 200, 100, (1, 4), (30, 150), 10, 1 / 2),
    "class-default-px": ((0, 10), 60, 20, (0, 3), (30, 100), 10, 1 / 2),
    "thin-256-px": ((4, 50), 40, 10, None, None, None, 0.0),
    "medium-256-px": ((4, 5), 100, 50, (1, 5), (10, 50), 0, 0.3 / 1.3),
    "thick-256-px": ((1, 5), 200, 100, (1, 3), (30, 150), 10, 0.3 / 1.3),
    "thin-512-px": ((4, 70), 100, 20, None, None, None, 0.0),
    "medium-512-px": ((4, 10), 200, 100, (1, 5), (30, 150), 0, 0.3 / 1.3),
    "thick-512-px": ((1, 5), 450, 250, (1, 4), (30, 300), 10, 0.3 / 1.3),
}


def test_the_numbers_are_lamas():
    assert set(LAMA) == set(IN_PIXELS)
    for name, (times, length, width, boxes, sides, margin, share) in LAMA.items():
        preset = PRESETS[name]
        assert preset.strokes == Strokes(num_strokes=times, length_span=length, width_span=width), name
        assert (preset.strokes.minimum_length, preset.strokes.minimum_width) == (10, 5)
        expected = None if boxes is None else Boxes(num_boxes=boxes, side=sides, margin=margin)
        assert (preset.boxes, preset.box_share) == (expected, pytest.approx(share)), name
    scaled = {"train": "train-px", "class-default": "class-default-px"}
    for name in SCALED:
        assert PRESETS[name] == replace(PRESETS[scaled.get(name, f"{name}-256-px")], reference_side=256)


def test_strokes_draw_from_the_whole_of_their_spans_and_no_further():
    """Lengths of 10 to 10 + 59 and widths of 5 to 5 + 19 pixels, one to five segments to a stroke."""
    one = Strokes(num_strokes=(1, 1), length_span=60, width_span=20)
    found = masks(RandomMaskPreset(strokes=one, reference_side=None), 700, 700, 400)
    areas = sorted(int(mask.sum()) for mask in found)
    assert areas[0] < 10 * 8 + 3 * 8 * 8
    assert 3 * 69 * 24 / 2 < areas[-1] < 5 * (69 + 24) * 25


@pytest.mark.slow
def test_a_stroke_has_one_to_five_segments_in_four_directions():
    """Lines of 100 pixels of length and one of width, on a picture so large that few are cut off at its border."""
    one = Strokes(num_strokes=(1, 1), length_span=1, width_span=1, minimum_length=100, minimum_width=1)
    found = masks(RandomMaskPreset(strokes=one, reference_side=None), 3000, 3000, 300)
    areas = [int(mask.sum()) for mask in found]  # a line covers as many pixels as its longer side has
    assert 4 * 101 < max(areas) <= 5 * 101
    sizes = Counter(cv2.boundingRect(mask)[2:] for mask, area in zip(found, areas, strict=True) if area <= 101)
    four = sorted(size for size, times in sizes.items() if times > 2)  # others were cut off
    directions = sorted((100 * abs(math.sin(0.01 + k)), 100 * abs(math.cos(0.01 + k))) for k in range(4))
    assert np.abs(np.array(four) - np.array(directions)).max() < 3


@pytest.mark.parametrize("name", SCALED)
@given(st.integers(16, 160), st.integers(16, 160), st.integers(0, 2**32))
def test_scaled_masks_are_neither_empty_nor_full_on_any_picture(name: str, height: int, width: int, seed: int):
    mask = random_mask(generator(seed), height, width, PRESETS[name])
    assert_proper(mask, height, width)
    assert np.array_equal(mask, random_mask(generator(seed), height, width, PRESETS[name]))


@pytest.mark.parametrize("size", [(16, 16), (32, 512), (512, 32), (16, 1024), (333, 500), (1024, 1024)])
@pytest.mark.parametrize("name", SCALED)
def test_scaled_masks_at_the_extremes(name: str, size: tuple[int, int]):
    for mask in masks(PRESETS[name], *size, number=8):
        assert_proper(mask, *size)


@pytest.mark.parametrize("size", [(64, 64), (48, 512), (256, 256), (1024, 1024)])
@pytest.mark.parametrize("name", IN_PIXELS)
def test_masks_in_pixels_are_neither_empty_nor_full(name: str, size: tuple[int, int]):
    for mask in masks(PRESETS[name], *size, number=8):
        assert_proper(mask, *size)


@pytest.mark.parametrize("side", [256, 512, 1024])
def test_train_covers_a_third_at_every_resolution(side: int):
    """LaMa's own training masks: 35 % at the 256 pixels that they were made for."""
    assert coverage("train", side) == pytest.approx(0.34, abs=0.03)


@pytest.mark.slow
def test_absolute_pixels_cover_less_of_larger_pictures():
    """LaMa's own: 35 % of 256², 13 % of 512², 4 % of 1024²."""
    assert coverage("train-px", 256) == pytest.approx(0.34, abs=0.03)
    assert coverage("train-px", 512) == pytest.approx(0.13, abs=0.02)
    assert coverage("train-px", 1024) == pytest.approx(0.04, abs=0.01)


@pytest.mark.parametrize("name", SCALED)
def test_coverage_does_not_depend_on_resolution(name: str):
    assert coverage(name, 512) == pytest.approx(coverage(name, 128), abs=0.04)


def test_other_streams_give_other_masks():
    assert len({mask.tobytes() for mask in masks(PRESETS["train"], 64, 64, 50)}) == 50


def lean(num_strokes: int) -> float:
    """Where the mean hidden pixel lies, from the left (0) to the right border (1)."""
    strokes = Strokes(
        num_strokes=(num_strokes, num_strokes), length_span=1, width_span=1, minimum_length=20, minimum_width=5
    )
    found = masks(RandomMaskPreset(strokes=strokes, reference_side=None), 128, 128, 500)
    return float(np.mean([np.nonzero(mask)[1].mean() / 128 for mask in found]))


def test_every_other_stroke_turns_the_other_way():
    """All four directions of LaMa point left on even strokes and right on odd ones."""
    assert lean(1) < 0.43
    assert lean(2) == pytest.approx(0.5, abs=0.04)


def test_a_stroke_is_as_wide_as_asked():
    wide = RandomMaskPreset(strokes=replace(THIN_LINES, minimum_width=9), reference_side=None)
    narrow = RandomMaskPreset(strokes=replace(THIN_LINES, minimum_width=3), reference_side=None)
    for mask in masks(wide, 128, 128, 40):
        assert cv2.erode(mask, np.ones((5, 5), np.uint8), borderValue=0).any()
    areas = [np.mean([mask.sum() for mask in masks(preset, 128, 128, 100)]) for preset in (narrow, wide)]
    assert 1.7 < areas[1] / areas[0] < 3  # where strokes cross, a wide one loses more


@pytest.mark.parametrize(("side", "margin"), [(256, 10), (512, 20), (128, 5)])
def test_boxes_keep_their_margin(side: int, margin: int):
    only_boxes = replace(PRESETS["train"], box_share=1.0)
    touched = np.bitwise_or.reduce(masks(only_boxes, side, side, 150))
    assert not touched[:margin].any()
    assert not touched[-margin:].any()
    assert not touched[:, :margin].any()
    assert not touched[:, -margin:].any()
    assert touched[margin : margin + 8].any()
    assert touched[:, -margin - 8 : -margin].any()


@pytest.mark.parametrize("size", [(64, 64), (40, 300), (300, 40)])
def test_box_sides_lie_in_their_range(size: tuple[int, int]):
    one_box = RandomMaskPreset(
        strokes=THIN_LINES, boxes=Boxes(num_boxes=(1, 1), side=(5, 30)), box_share=1.0, reference_side=None
    )
    sides: set[int] = set()
    for mask in masks(one_box, *size, number=300):
        x, y, width, height = cv2.boundingRect(mask)
        assert mask[y : y + height, x : x + width].all()
        sides |= {width, height}
    assert sides == set(range(5, 30))


def test_a_mask_is_of_boxes_or_of_strokes():
    """With thin lines and large boxes the two are told apart: a mask is one whole box, or no box fits into it."""
    mixed = RandomMaskPreset(
        strokes=THIN_LINES, boxes=Boxes(num_boxes=(1, 1), side=(20, 60)), box_share=0.25, reference_side=None
    )
    num_boxes = 0
    for mask in masks(mixed, 128, 128, 400):
        holds_a_box = bool(cv2.erode(mask, np.ones((12, 12), np.uint8), borderValue=0).any())
        x, y, width, height = cv2.boundingRect(mask)
        assert holds_a_box == bool(mask[y : y + height, x : x + width].all() and min(width, height) >= 20)
        num_boxes += holds_a_box
    assert num_boxes / 400 == pytest.approx(0.25, abs=0.06)


def test_a_picture_of_one_pixel_is_refused():
    with pytest.raises(RejectedError) as refused:
        random_mask(generator(0), 1, 1, PRESETS["train"])
    assert refused.value.reason is Reason.NO_VALID_MASK
