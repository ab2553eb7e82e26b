"""Textures are read from objects whose pose is known."""

import pytest

from cologen.datagen.world.levels import LEVELS, LevelName
from cologen.datagen.world.objects import full_mask
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene
from cologen.evaluation.worldbench.fitting import Fit
from cologen.evaluation.worldbench.textures import texture_of


@pytest.mark.parametrize(("level", "side", "least"), [("usual", 64, 0.95), ("rich", 128, 0.9)])
def test_the_front_object_s_texture_is_read(level: LevelName, side: int, least: float) -> None:
    right, seen = 0, set[str]()
    for index in range(80):
        scene = sample_scene(12, index, level)
        thing = scene.objects[-1]
        fit = Fit(thing.shape, thing.x * side, thing.y * side, thing.scale * side, thing.angle, 1.0)
        pixels = full_mask(thing, side, side).astype(bool)
        right += texture_of(render(scene, side, side).picture, fit, thing.color, pixels, level) == thing.texture
        seen.add(thing.texture)
    assert seen == set(LEVELS[level].textures)
    assert right / 80 >= least


def test_a_level_of_plain_objects_has_no_other_texture() -> None:
    scene = sample_scene(1, 0, "simple")
    thing = scene.objects[-1]
    fit = Fit(thing.shape, thing.x * 32, thing.y * 32, thing.scale * 32, thing.angle, 1.0)
    pixels = full_mask(thing, 32, 32).astype(bool)
    assert texture_of(render(scene, 32, 32).picture, fit, thing.color, pixels, "simple") == "plain"
