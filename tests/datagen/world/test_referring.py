"""A referring phrase means one object of its scene and no other."""

from dataclasses import replace

import pytest

from cologen.datagen.world.directions import SLACK
from cologen.datagen.world.nouns import SIZE_WORDS
from cologen.datagen.world.objects import SceneObject
from cologen.datagen.world.referring import EXTREMES, Meaning, Referral, referrals, referring_phrases
from cologen.datagen.world.scene import Scene, sample_scene
from cologen.datagen.world.vocabulary import COLORS, SHAPES, TEXTURES

BALL = SceneObject(
    shape="ball", color="red", size="small", texture="plain", x=0.2, y=0.5, scale=0.1, angle=0.0, depth=0.5, grain=7
)
STAR = replace(BALL, shape="star", color="blue", y=0.2)
TWINS = Scene(seed=0, key="a", ground="grass", objects=(BALL, replace(BALL, x=0.8), STAR))


Found = list[list[list[Referral]]]
"""Of every scene, of every object, what is said of it."""


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [sample_scene(6, index) for index in range(200)]


@pytest.fixture(scope="module")
def found_in(scenes: list[Scene]) -> Found:
    return [[list(referrals(scene, i)) for i in range(len(scene.objects))] for scene in scenes]


def test_every_object_of_many_scenes_has_phrases_and_each_means_it_alone(scenes: list[Scene], found_in: Found):
    for scene, by_object in zip(scenes, found_in, strict=True):
        for i, found in enumerate(by_object):
            assert found
            assert all(referral.meaning.satisfied_by(scene) == (i,) for referral in found)


def test_no_phrase_is_said_twice_in_a_scene(found_in: Found):
    for by_object in found_in:
        phrases = [referral.phrase for found in by_object for referral in found]
        assert len(set(phrases)) == len(phrases)


def _anchor_words(meaning: Meaning) -> str:
    assert meaning.relation is not None
    _, other = meaning.relation
    sizes = {name: words[0] for name, words in SIZE_WORDS.items()}
    textures = {name: texture.adjectives[0] for name, texture in TEXTURES.items()}
    words = (sizes.get(other.size or ""), textures.get(other.texture or ""), other.color, other.shape)
    return " ".join(word for word in words if word)


def test_the_words_say_the_meaning(found_in: Found):
    """Read again from its words, a phrase names the attributes of its object, and after "the" those of another."""
    for by_object in found_in:
        for referral in (referral for found in by_object for referral in found):
            own_words = set(referral.phrase.removeprefix("the ").split(" the ")[0].split())
            meaning = referral.meaning
            assert own_words & set(COLORS) == {meaning.color} - {None}
            assert own_words & set(SHAPES) == {meaning.shape} - {None}
            assert own_words & set(EXTREMES) == {meaning.extreme} - {None}
            if meaning.relation is not None:
                assert referral.phrase.endswith(f" the {_anchor_words(referral.meaning)}")


def test_twins_are_told_apart_by_place_superlative_and_relation():
    phrases = referring_phrases(TWINS, 0)
    assert "the ball" not in phrases
    assert "the red ball" not in phrases
    assert "the ball on the left" in phrases
    assert "the leftmost ball" in phrases
    assert "the ball below the star" in phrases
    assert "the rightmost red ball" in referring_phrases(TWINS, 1)


def test_what_is_nearly_true_of_another_object_is_not_said():
    almost = replace(TWINS, objects=(BALL, replace(BALL, x=0.4 + SLACK / 2, y=0.9)))
    assert Meaning(shape="ball", place="left").satisfied_by(almost) == (0,)
    assert not Meaning(shape="ball", place="left").means(almost, 0)
    assert "the ball on the left" not in referring_phrases(almost, 0)


def test_phrases_start_with_the_shortest():
    assert referring_phrases(TWINS, 2)[0] == "the star"
