"""A subject pair shows one object in two scenes, unhidden, with words that name it."""

import pytest

from cologen.datagen.world.scene import is_clear, visible_fractions
from cologen.datagen.world.subjects import SubjectPair, subject_pair
from cologen.datagen.world.vocabulary import GROUNDS


@pytest.fixture(scope="module")
def pairs() -> list[SubjectPair]:
    return [subject_pair(11, index) for index in range(80)]


def test_the_same_seed_and_index_give_the_same_pair(pairs: list[SubjectPair]):
    assert subject_pair(11, 0) == pairs[0]
    assert subject_pair(12, 0) != pairs[0]


def test_the_subject_is_the_same_and_all_else_is_not(pairs: list[SubjectPair]):
    for pair in pairs:
        first, second = pair.first.objects[pair.first_index], pair.second.objects[pair.second_index]
        looks = [(thing.shape, thing.color, thing.texture, thing.grain, thing.scale) for thing in (first, second)]
        assert looks[0] == looks[1]
        assert (first.x, first.y) != (second.x, second.y)
        assert pair.first.ground != pair.second.ground
        assert pair.first.key != pair.second.key


def test_the_subject_is_seen_and_the_scenes_are_clear(pairs: list[SubjectPair]):
    for pair in pairs:
        for scene, index in ((pair.first, pair.first_index), (pair.second, pair.second_index)):
            assert is_clear(scene.objects, "rich")
            assert visible_fractions(scene.objects, 96, 96)[index] > 0.45
            assert not {thing.color for thing in scene.objects} & GROUNDS[scene.ground].camouflages


def test_the_words_name_the_item_and_no_companion_shares_its_shape(pairs: list[SubjectPair]):
    for pair in pairs:
        for words, scene in ((pair.first_words, pair.first), (pair.second_words, pair.second)):
            assert pair.item in words
            shapes = [thing.shape for thing in scene.objects]
            assert shapes.count(pair.item.split()[-1]) == 1


def test_companions_and_words_vary(pairs: list[SubjectPair]):
    assert {len(pair.first.objects) for pair in pairs} == {1, 2, 3, 4}
    assert len({pair.item for pair in pairs}) > 60
