"""Every silhouette fills the unit circle, and its area is that of its pixels."""

import math

import numpy as np
import pytest

from cologen.datagen.world.objects import Window, fill
from cologen.datagen.world.outlines import outline
from cologen.datagen.world.vocabulary import SHAPES


@pytest.mark.parametrize("shape", SHAPES)
def test_the_body_touches_the_unit_circle_and_is_centered(shape: str):
    body = outline(shape).loops[0]
    assert np.hypot(*body.T).max() == pytest.approx(1)
    assert body.min(axis=0) + body.max(axis=0) == pytest.approx([0, 0], abs=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_area_is_that_of_the_pixels(shape: str):
    window = Window(x0=0, y0=0, side=512, center_x=256.0, center_y=256.0, radius=200.0)
    covered = fill(outline(shape).loops, 17.0, window).sum() / 255 / 200**2
    assert covered == pytest.approx(outline(shape).area, rel=0.02)


def test_a_ball_is_a_disc_and_a_ring_has_a_hole():
    assert outline("ball").area == pytest.approx(math.pi, rel=0.01)
    assert outline("ring").area == pytest.approx(math.pi * (1 - 0.52**2), rel=0.01)
