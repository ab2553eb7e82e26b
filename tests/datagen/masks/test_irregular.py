"""Irregular masks always cover their object's box, swell only into the free space, and scale with the picture."""

import math
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cologen.datagen.masks.irregular import IrregularShape, irregular_mask, outline
from cologen.datagen.randomness import generator
from cologen.datagen.records import Box

DEFAULT = IrregularShape()
EXACT = IrregularShape(bulge=0.0, jitter=0.0)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[int, int, Box]:
    """A height, a width and a box inside them, of one pixel or more and with fractions of pixels."""
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    sides: list[tuple[float, float]] = []
    for side in (width, height):
        ends = st.integers(0, side).map(float) if draw(st.booleans()) else st.floats(0, side)
        low, high = sorted((draw(ends), draw(ends)))
        sides.append((low, high) if math.floor(low) < math.ceil(high) else (0.0, 1.0))
    (x0, x1), (y0, y1) = sides
    return height, width, Box(x0=x0, y0=y0, x1=x1, y1=y1)


shapes = st.builds(
    IrregularShape,
    num_points=st.integers(1, 8).map(lambda number: 4 * number),
    points_on=st.sampled_from(["side", "contour"]),
    bulge=st.floats(0, 1),
    jitter=st.floats(0, 200),
)
seeds = st.integers(0, 2**32)


def inside(box: Box) -> tuple[slice, slice]:
    """The pixels that the box touches."""
    return slice(math.floor(box.y0), math.ceil(box.y1)), slice(math.floor(box.x0), math.ceil(box.x1))


@given(pictures(), shapes, seeds)
def test_every_pixel_of_the_box_is_covered(picture: tuple[int, int, Box], shape: IrregularShape, seed: int):
    height, width, box = picture
    mask = irregular_mask(generator(seed), height, width, box, shape)
    assert mask.dtype == np.uint8
    assert mask.shape == (height, width)
    assert set(np.unique(mask)) <= {0, 1}
    assert mask[inside(box)].all()


@given(pictures(), shapes, seeds)
def test_points_lie_in_the_picture_and_not_in_the_box(picture: tuple[int, int, Box], shape: IrregularShape, seed: int):
    height, width, box = picture
    points = outline(generator(seed), height, width, box, shape)
    assert (points >= 0).all()
    assert (points <= (width - 1, height - 1)).all()
    rows, columns = inside(box)
    x, y = points.T
    assert ((x <= columns.start) | (x >= columns.stop - 1) | (y <= rows.start) | (y >= rows.stop - 1)).all()


@given(pictures(), seeds)
def test_without_bulge_and_jitter_it_is_exactly_the_box(picture: tuple[int, int, Box], seed: int):
    height, width, box = picture
    expected = np.zeros((height, width), np.uint8)
    expected[inside(box)] = 1
    assert np.array_equal(irregular_mask(generator(seed), height, width, box, EXACT), expected)


BOX = Box(x0=100.0, y0=150.0, x1=301.0, y1=351.0)


def test_twenty_points_are_on_each_side_by_default():
    points = outline(generator(0), 512, 512, BOX, DEFAULT)
    assert points.shape == (80, 2)
    assert len(np.unique(points, axis=0)) == 80


def test_twenty_points_may_be_on_the_whole_contour():
    shape = IrregularShape(points_on="contour")
    assert outline(generator(0), 512, 512, BOX, shape).shape == (20, 2)


def test_points_are_uniform_along_the_curve_clockwise_from_the_top_left():
    top, right, bottom, left = outline(generator(0), 512, 512, BOX, EXACT).reshape(4, 20, 2)
    steps = np.arange(20) * 10.0
    np.testing.assert_allclose(top, np.stack([100 + steps, np.full(20, 150)], axis=1))
    np.testing.assert_allclose(right, np.stack([np.full(20, 300), 150 + steps], axis=1))
    np.testing.assert_allclose(bottom, np.stack([300 - steps, np.full(20, 350)], axis=1))
    np.testing.assert_allclose(left, np.stack([np.full(20, 100), 350 - steps], axis=1))


@given(seeds)
def test_sides_are_quadratic_beziers_that_swell_into_the_free_space(seed: int):
    """A parabola with its ends at the corners: at t = ½ it has gone half the way to its control point."""
    top, right, bottom, left = outline(generator(seed), 512, 512, BOX, IrregularShape(jitter=0.0)).reshape(4, 20, 2)
    t = np.arange(20) / 20
    free = (150.0, 511.0 - 300.0, 511.0 - 350.0, 100.0)
    outwards = (150 - top[:, 1], right[:, 0] - 300, bottom[:, 1] - 350, 100 - left[:, 0])
    for space, gone in zip(free, outwards, strict=True):
        assert 0 <= gone[10] <= 0.4 * space / 2
        np.testing.assert_allclose(gone, 4 * t * (1 - t) * gone[10], atol=1e-9)


@given(seeds, st.integers(64, 1024))
def test_jitter_scales_with_the_picture(seed: int, side: int):
    box = Box(x0=side * 0.25, y0=side * 0.25, x1=side * 0.75, y1=side * 0.75)
    moved = outline(generator(seed), side, side, box, IrregularShape(bulge=0.0))
    still = outline(generator(seed), side, side, box, EXACT)
    reach = 5 * side / 512
    assert 0.5 * reach < np.abs(moved - still).max() <= reach + 1e-9


@given(seeds)
def test_the_outline_scales_with_the_picture(seed: int):
    small = outline(generator(seed), 512, 512, BOX, DEFAULT)
    twice = Box(x0=2 * BOX.x0, y0=2 * BOX.y0, x1=2 * BOX.x1, y1=2 * BOX.y1)
    large = outline(generator(seed), 1024, 1024, twice, DEFAULT)
    np.testing.assert_allclose(large, 2 * small, atol=2.5)  # pixel centres, not edges, are what doubles


def test_masks_are_one_piece_a_third_larger_than_their_boxes():
    ratios: list[float] = []
    for index in range(300):
        draw = generator(1, index)
        (width, height), (left, top) = (
            draw.uniform(40, 130, 2).round().tolist(),
            draw.uniform(0, 126, 2).round().tolist(),
        )
        box = Box.from_xywh(left, top, width, height)
        mask = irregular_mask(draw, 256, 256, box, DEFAULT)
        assert cv2.connectedComponents(mask)[0] == 2
        ratios.append(float(mask.sum()) / box.area)
    assert 1.2 < np.mean(ratios) < 1.45
    assert min(ratios) > 1.0
    assert np.quantile(ratios, 0.95) < 2.2


def test_the_same_stream_gives_the_same_mask_and_another_one_another():
    found = {irregular_mask(generator(2, key), 128, 128, BOX.clipped(128, 128), DEFAULT).tobytes() for key in range(40)}
    assert len(found) == 40
    again = irregular_mask(generator(2, 0), 128, 128, BOX.clipped(128, 128), DEFAULT)
    assert again.tobytes() in found


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_points": 0},
        {"num_points": 21, "points_on": "contour"},
        {"bulge": -0.1},
        {"bulge": 1.1},
        {"jitter": -1.0},
        {"reference_side": 0},
    ],
)
def test_impossible_shapes_are_refused(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        IrregularShape(**wrong)
