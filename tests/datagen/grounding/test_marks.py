"""A frame encloses its box exactly, a cover changes its mask exactly, and no other pixel ever changes."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cologen.datagen import rle
from cologen.datagen.grounding.marks import cover, draw_boxes, frames, marked, shows_corner, source_and_target
from cologen.datagen.images import Picture
from cologen.datagen.randomness import generator
from cologen.datagen.records import Image

WorldImage = Callable[[int], tuple[Image, Picture]]
RED = (255, 0, 0)


def noise(height: int, width: int) -> Picture:
    """No pixel of it is red, so that every marked pixel is a changed one."""
    return generator(0, "noise").integers(0, 250, (height, width, 3), dtype=np.uint8)


def test_the_frame_of_the_docstring():
    mask = frames([[2, 1, 4, 3]], 1, height=4, width=5)
    assert mask.tolist() == [[0, 1, 1, 1, 1], [0, 1, 0, 0, 1], [0, 1, 0, 0, 1], [0, 1, 1, 1, 1]]


@given(
    left=st.integers(0, 39),
    top=st.integers(0, 29),
    width=st.integers(1, 40),
    height=st.integers(1, 30),
    line_width=st.integers(1, 9),
)
def test_a_frame_is_the_pixels_within_the_line_of_the_box_and_none_inside(
    left: int, top: int, width: int, height: int, line_width: int
):
    right, bottom = min(left + width, 40), min(top + height, 30)
    y, x = np.mgrid[:30, :40]
    away_x = np.maximum(left - x, x - (right - 1))
    away_y = np.maximum(top - y, y - (bottom - 1))
    away = np.maximum(away_x, away_y)  # 0 or less inside the box
    picture = noise(30, 40)
    drawn = draw_boxes(picture, [(left, top, right, bottom)], RED, line_width)
    expected = (away > 0) & (away <= line_width)
    assert ((drawn != picture).any(axis=2) == expected).all()
    assert (drawn[expected] == RED).all()
    assert (frames([(left, top, right, bottom)], line_width, 30, 40) == expected).all()


@pytest.mark.parametrize("index", range(25))
def test_the_drawn_box_encloses_exactly_the_objects_mask(world_image: WorldImage, index: int):
    image, picture = world_image(index)
    for item in image.objects:
        mask = rle.decode(item.rle, image.height, image.width).astype(bool)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        line = frames([item.box.xyxy()], 2, image.height, image.width).astype(bool)
        assert not (line & mask).any()
        inside = np.zeros_like(mask)
        inside[int(item.box.y0) : int(item.box.y1), int(item.box.x0) : int(item.box.x1)] = True
        assert inside[mask].all()
        # Tight: the object's outermost pixels touch the line on every side.
        assert (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) == item.box.xyxy()
        drawn = draw_boxes(picture, [item.box.xyxy()], RED, 2)
        assert (drawn[inside] == picture[inside]).all()
        assert (drawn[~line] == picture[~line]).all()


def test_several_frames_are_each_drawn_whole():
    picture, boxes = noise(30, 40), [(5, 5, 20, 20), (12, 10, 30, 28)]
    drawn = draw_boxes(picture, boxes, RED, 2)
    either = frames(boxes[:1], 2, 30, 40) | frames(boxes[1:], 2, 30, 40)
    assert ((drawn == RED).all(axis=2) == either.astype(bool)).all()


@pytest.mark.parametrize("index", range(25))
@pytest.mark.parametrize("opacity", [0.4, 0.55, 1.0])
def test_a_cover_blends_exactly_the_masks_pixels(world_image: WorldImage, index: int, opacity: float):
    image, picture = world_image(index)
    for item in image.objects:
        mask = rle.decode(item.rle, image.height, image.width)
        covered, inside = cover(picture, mask, RED, opacity), mask.astype(bool)
        expected = (1 - opacity) * picture[inside].astype(float) + opacity * np.array(RED)
        assert np.abs(covered[inside] - expected).max() <= 0.5 + 1e-9
        assert (covered[~inside] == picture[~inside]).all()
        far = (np.abs(picture.astype(int) - RED) > 2).any(axis=2)
        assert (covered != picture).any(axis=2)[inside & far].all()


def test_covering_nothing_changes_nothing():
    picture = noise(30, 40)
    assert (cover(picture, np.zeros((30, 40), np.uint8), RED, 0.5) == picture).all()


@pytest.mark.parametrize(
    ("box", "shown"),
    [
        ((5, 5, 20, 20), True),
        ((0, 0, 20, 20), True),  # the corner below right
        ((0, 5, 40, 20), False),  # two lines
        ((0, 5, 38, 20), False),  # as good as two lines: the third is cut
        ((5, 0, 20, 30), False),
        ((0, 0, 40, 30), False),
    ],
)
def test_a_frame_needs_a_corner_in_the_picture(box: tuple[int, int, int, int], shown: bool):
    assert shows_corner(box, 3, 30, 40) == shown


def row(**columns: object) -> dict[str, object]:
    plain = {"referring": "box", "boxes": [[5, 5, 20, 20]], "mask_rle": None, "line_width": 2, "opacity": None}
    return plain | {"color_rgb": list(RED), "inverse": False, "negative": False} | columns


def test_rows_render_as_frames_and_covers():
    picture, mask = noise(30, 40), np.zeros((30, 40), np.uint8)
    mask[8:20, 4:9] = 1
    assert (marked(picture, row()) == draw_boxes(picture, [(5, 5, 20, 20)], RED, 2)).all()
    covered = marked(picture, row(referring="mask", mask_rle=rle.encode(mask), opacity=0.5))
    assert (covered == cover(picture, mask, RED, 0.5)).all()


def test_an_inverse_row_swaps_source_and_target():
    picture = noise(30, 40)
    source, target = source_and_target(picture, row())
    swapped = source_and_target(picture, row(inverse=True))
    assert (source == picture).all()
    assert (swapped[0] == target).all()
    assert (swapped[1] == picture).all()


def test_a_negative_row_changes_nothing():
    picture = noise(30, 40)
    source, target = source_and_target(picture, row(negative=True, boxes=[]))
    assert (source == picture).all()
    assert (target == picture).all()
