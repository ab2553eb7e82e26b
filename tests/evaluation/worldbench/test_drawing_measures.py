"""Rendered scenes say what their captions say; other scenes, blank and noise pictures do not."""

import numpy as np
import pytest

from cologen.datagen.world.captions import captions
from cologen.datagen.world.levels import LevelName
from cologen.evaluation.worldbench.drawing_measures import said
from cologen.evaluation.worldbench.reading import Reading, read
from cologen.evaluation.worldbench.statements import statements
from tests.evaluation.worldbench.drawn import SIDES, mean, picture_of, scenes


@pytest.mark.parametrize(("level", "least"), [("simple", 0.97), ("usual", 0.8)])
def test_a_rendering_is_what_its_caption_says(level: LevelName, least: float) -> None:
    values = [said(statements(captions(one, 1)[0]), read(picture_of(one), level)) for one in scenes(level, 200)]
    assert mean(each.whole for each in values) >= least
    assert mean(each.objects for each in values) >= 0.93
    assert mean(each.places for each in values) >= 0.9
    assert mean(each.ground for each in values) == 1


def test_another_scene_s_rendering_is_not() -> None:
    some = scenes("simple", 40)
    others = some[1:] + some[:1]
    pairs = zip(some, others, strict=True)
    values = [said(statements(captions(one, 1)[0]), read(picture_of(other), "simple")) for one, other in pairs]
    assert mean(each.whole for each in values) == 0
    assert mean(each.objects for each in values) < 0.15
    assert mean(each.ground for each in values) < 0.3


def test_noise_and_blank_pictures_say_nothing() -> None:
    side = SIDES["simple"]
    stated = statements(captions(scenes("simple", 1)[0], 1)[0])
    noise = np.random.default_rng(0).integers(0, 256, size=(side, side, 3)).astype(np.uint8)
    for picture in (noise, np.full((side, side, 3), 128, dtype=np.uint8)):
        values = said(stated, read(picture, "simple"))
        assert values.objects == 0 and values.whole == 0


def test_places_and_extra_objects_count() -> None:
    scene = next(one for one in scenes("simple", 40) if len(one.objects) == 1)
    (thing,), reading = scene.objects, read(picture_of(scene), "simple")
    words = f"a {thing.color} {thing.shape}"
    where = "on the right" if thing.x < 0.5 else "on the left"
    values = said(statements(f"{words} {where}, in the snow".replace("a o", "an o")), reading)
    assert values.objects == 1 and values.places == 0 and values.whole == 0
    twice = Reading(ground=reading.ground, objects=reading.objects * 2)
    assert said(statements(f"{words} in the snow".replace("a o", "an o")), twice).nothing_else == 0
