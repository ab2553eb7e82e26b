"""Painting an object changes the pixels within its reach and no others, and leaves it in its colour."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from cologen.datagen.world.objects import SceneObject, full_mask
from cologen.datagen.world.surfaces import paint_object, reach
from cologen.datagen.world.vocabulary import COLORS, SHAPES, TEXTURES

STAR = SceneObject(
    shape="star", color="red", size="large", texture="plain", x=0.5, y=0.4, scale=0.25, angle=5.0, depth=0.5, grain=7
)
MIDDLE_GRAY = np.full((96, 128, 3), 128, dtype=np.uint8)


def _painted(thing: SceneObject) -> np.ndarray:
    picture = MIDDLE_GRAY.copy()
    paint_object(picture, thing)
    return picture


@pytest.mark.parametrize("x", [0.02, 0.5, 0.98])
def test_only_pixels_within_reach_change(x: float):
    thing = replace(STAR, x=x)
    changed = (_painted(thing) != MIDDLE_GRAY).any(axis=2)
    assert not changed[reach(thing, 128, 96) == 0].any()
    assert changed[full_mask(thing, 128, 96) == 1].all()


def test_the_reach_stays_near_the_object():
    radius = 0.25 * 96
    near = cv2.dilate(full_mask(STAR, 128, 96), np.ones((int(radius), int(radius)), dtype=np.uint8))
    assert not reach(STAR, 128, 96)[near == 0].any()


def test_a_shadow_falls_to_the_lower_right():
    picture = _painted(replace(STAR, shape="ball"))
    left, right, above, below = picture[38, 36, 0], picture[38, 91, 0], picture[11, 64, 0], picture[66, 64, 0]
    assert below < above
    assert right < left


@pytest.mark.parametrize("color", COLORS)
def test_the_mean_color_is_nearest_to_its_own_name(color: str):
    """For every shape and texture, of a large object: shading never turns one named colour into another."""
    palette = np.array(list(COLORS.values()), dtype=float)
    for shape in SHAPES:
        for texture in TEXTURES:
            thing = replace(STAR, shape=shape, color=color, texture=texture)
            mean = _painted(thing)[full_mask(thing, 128, 96) == 1].mean(axis=0)
            nearest = tuple(COLORS)[int(np.argmin(((palette - mean) ** 2).sum(axis=1)))]
            assert nearest == color, (shape, texture)
