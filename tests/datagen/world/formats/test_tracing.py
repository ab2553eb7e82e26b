from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cologen.datagen import rle
from cologen.datagen.rle import Mask
from cologen.datagen.world.formats.drawing import World, draw
from cologen.datagen.world.formats.tracing import polygons


def _drawn(traced: list[list[float]], like: Mask) -> Mask:
    return rle.decode(rle.from_polygons(traced, *like.shape), *like.shape)


@pytest.mark.parametrize("side", [64, 256])
def test_polygons_of_every_shape_draw_the_very_mask(side: int) -> None:
    shapes: set[str] = set()
    for index in range(40):
        drawing = draw(World(num_scenes=40, width=side, height=side, seed=3), index)
        for thing, mask in zip(drawing.scene.objects, drawing.rendering.masks, strict=True):
            np.testing.assert_array_equal(_drawn(polygons(mask), mask), mask)
            shapes.add(thing.shape)
    assert {"ring", "mug"} <= shapes


def test_a_ring_becomes_two_polygons() -> None:
    ring = np.ones((9, 9), dtype=np.uint8)
    ring[3:6, 3:6] = 0
    assert len(polygons(ring)) == 2
    np.testing.assert_array_equal(_drawn(polygons(ring), ring), ring)


def test_a_box_needs_four_corners() -> None:
    box = np.zeros((10, 12), dtype=np.uint8)
    box[2:5, 3:7] = 1
    (polygon,) = polygons(box)
    assert len(polygon) == 8


def test_an_empty_mask_has_no_polygons() -> None:
    assert polygons(np.zeros((4, 5), dtype=np.uint8)) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.randoms(use_true_random=False))
def test_any_mask_of_specks_and_holes_is_drawn_as_it_was(height: int, width: int, randoms) -> None:
    bits = [randoms.random() < 0.7 for _ in range(height * width)]
    mask = np.array(bits, dtype=np.uint8).reshape(height, width)
    if mask.any():
        np.testing.assert_array_equal(_drawn(polygons(mask), mask), mask)
