"""Scenes are a pure function of seed and index, and every object in them can be seen and told."""

import itertools
from dataclasses import replace

import pytest

from cologen.datagen.randomness import generator
from cologen.datagen.world.levels import LEVELS
from cologen.datagen.world.scene import (
    MIN_VISIBLE,
    Scene,
    is_clear,
    place,
    sample_object,
    sample_scene,
    visible_fractions,
)
from cologen.datagen.world.vocabulary import GROUNDS


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [sample_scene(3, index) for index in range(200)]


def test_the_same_seed_and_index_give_the_same_scene(scenes: list[Scene]):
    assert [sample_scene(3, index) for index in range(20)] == scenes[:20]


def test_another_seed_or_index_gives_another_scene(scenes: list[Scene]):
    assert len({scene.objects for scene in scenes}) == len(scenes)
    assert sample_scene(4, 0).objects != scenes[0].objects


def test_scenes_have_one_to_six_objects_and_all_of_these_counts(scenes: list[Scene]):
    assert {len(scene.objects) for scene in scenes} == set(range(1, LEVELS["rich"].max_objects + 1))


def test_keys_are_unique(scenes: list[Scene]):
    assert len({scene.key for scene in scenes}) == len(scenes)


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (160, 120), (96, 192), (512, 64)])
def test_enough_of_every_object_is_visible_in_any_picture(size: tuple[int, int], scenes: list[Scene]):
    # At 32 pixels the mask of a tiny object is too coarse to measure a share on.
    allowance = 0.1 if min(size) < 64 else 0.0
    for scene in scenes:
        assert min(visible_fractions(scene.objects, *size)) > MIN_VISIBLE - allowance


def test_objects_overlap_in_many_scenes(scenes: list[Scene]):
    crowded = [min(visible_fractions(scene.objects, 96, 96)) < 0.9 for scene in scenes]
    assert sum(crowded) > 0.3 * len(scenes)


def test_depths_fall_from_back_to_front(scenes: list[Scene]):
    for scene in scenes:
        depths = [thing.depth for thing in scene.objects]
        assert all(back - front > 0.04 for back, front in itertools.pairwise(depths))
        assert all(0.1 < depth < 0.7 for depth in depths)


def test_no_object_hides_on_its_ground(scenes: list[Scene]):
    for scene in scenes:
        assert not {thing.color for thing in scene.objects} & GROUNDS[scene.ground].camouflages


def test_an_object_behind_a_larger_one_is_not_clear():
    draw = generator(0, "test")
    thing = replace(sample_object(draw, "grass", "rich"), shape="ball", color="red", scale=0.1)
    cover = replace(thing, shape="box", color="blue", scale=0.25)
    assert is_clear((thing,), "rich")
    assert not is_clear((thing, cover), "rich")
    assert is_clear((cover, thing), "rich")


def test_twins_lie_apart():
    thing = replace(sample_object(generator(0, "test"), "grass", "rich"), scale=0.09)
    assert not is_clear((thing, replace(thing, x=thing.x + 0.19)), "rich")
    assert is_clear((thing, replace(thing, x=thing.x + 0.25)), "rich")


def test_a_thing_finds_no_place_behind_one_that_fills_the_picture():
    draw = generator(0, "test")
    thing = replace(sample_object(draw, "grass", "rich"), color="red")
    wall = replace(thing, shape="box", color="blue", scale=0.9)
    assert place(thing, draw, "rich") is not None
    assert place(thing, draw, "rich", before=(wall,)) is None
