"""An object's pixels: antialiased, alike at every size, cut at the picture's edge, and hidden by what is in front."""

from dataclasses import replace

import numpy as np
import pytest

from cologen.datagen.world.objects import SceneObject, fill, full_mask, visible_masks, window
from cologen.datagen.world.outlines import outline

BALL = SceneObject(
    shape="ball", color="red", size="large", texture="plain", x=0.5, y=0.5, scale=0.25, angle=0.0, depth=0.5, grain=7
)


def test_edges_are_antialiased():
    coverage = fill(outline("ball").loops, 0.0, window(BALL, 64, 64))
    assert len(np.unique(coverage)) > 8


def test_the_mask_of_a_ball_is_its_disc():
    rows, columns = np.mgrid[:64, :64] + 0.5
    inside = (columns - 32) ** 2 + (rows - 32) ** 2 < 16**2
    assert np.count_nonzero(full_mask(BALL, 64, 64) != inside) <= 8


@pytest.mark.parametrize("shape", ["star", "mug", "tree"])
def test_area_agrees_between_sizes(shape: str):
    thing = replace(BALL, shape=shape, angle=10.0)
    small, large = (full_mask(thing, size, size).mean() for size in (128, 256))
    assert small == pytest.approx(large, rel=0.03)


def test_scale_follows_the_shorter_side():
    assert full_mask(BALL, 128, 64).sum() == full_mask(BALL, 64, 64).sum() == full_mask(BALL, 64, 128).sum()


def test_half_a_ball_at_the_edge_is_half_its_area():
    whole, half = (full_mask(replace(BALL, x=x), 128, 128).sum() for x in (0.5, 0.0))
    assert half == pytest.approx(whole / 2, rel=0.03)


def test_turning_goes_clockwise():
    right = replace(BALL, shape="arrow", angle=0.0)
    down = full_mask(replace(right, angle=90.0), 64, 64)
    assert np.count_nonzero(np.rot90(full_mask(right, 64, 64), -1) != down) <= 4


def test_visible_masks_share_the_union_of_the_full_ones():
    full = [full_mask(replace(BALL, x=x), 64, 64) for x in (0.4, 0.5, 0.7)]
    visible = visible_masks(full)
    assert np.array_equal(sum(visible), np.maximum.reduce(full))
    assert np.array_equal(visible[-1], full[-1])
    assert visible_masks([]) == ()
