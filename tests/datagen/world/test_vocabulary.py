"""The synthetic dataset is as large as promised, and its words fit together."""

import itertools

from cologen.datagen.world.scene import sample_scene
from cologen.datagen.world.vocabulary import (
    COLORS,
    GROUND_CLASSES,
    GROUNDS,
    OBJECT_CLASSES,
    SHAPES,
    SIZES,
    TEXTURES,
)


def test_there_are_enough_words_of_each_kind():
    assert len(SHAPES) >= 10
    assert len(COLORS) == 12
    assert len(SIZES) == 4
    assert len(TEXTURES) >= 5
    assert len(GROUNDS) >= 8


def test_class_names_are_distinct_single_words():
    names = OBJECT_CLASSES + GROUND_CLASSES
    assert len(set(names)) == len(names) < 255
    assert all(name.isalpha() and name.islower() for name in names)


def test_colors_lie_apart():
    distances = [
        sum((a - b) ** 2 for a, b in zip(*pair, strict=True)) for pair in itertools.combinations(COLORS.values(), 2)
    ]
    assert min(distances) > 60**2


def test_sizes_lie_further_apart_than_their_jitter():
    scales = list(SIZES.values())
    assert all(larger > 1.3 * smaller for smaller, larger in itertools.pairwise(scales))


def test_camouflages_are_colors_and_leave_most_of_them():
    for ground in GROUNDS.values():
        assert ground.camouflages <= set(COLORS)
        assert len(ground.camouflages) <= 3


def test_every_word_is_reached():
    scenes = [sample_scene(0, index) for index in range(250)]
    things = [thing for scene in scenes for thing in scene.objects]
    assert {scene.ground for scene in scenes} == set(GROUNDS)
    assert {thing.shape for thing in things} == set(SHAPES)
    assert {thing.color for thing in things} == set(COLORS)
    assert {thing.size for thing in things} == set(SIZES)
    assert {thing.texture for thing in things} == set(TEXTURES)
