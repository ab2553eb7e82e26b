"""Noun phrases are grammatical and in order."""

import pytest

from cologen.datagen.world.nouns import Said, counted, described, listed, sentence, with_article
from cologen.datagen.world.objects import SceneObject

BALL = SceneObject(
    shape="ball", color="orange", size="small", texture="dotted", x=0.5, y=0.5, scale=0.1, angle=0.0, depth=0.5, grain=7
)


def test_the_whole_phrase_says_size_texture_and_color_in_this_order():
    assert described(BALL, Said(size=True, texture=True, color=True)) == "small dotted orange ball"


def test_only_what_is_said_is_said():
    assert described(BALL, Said()) == "ball"
    assert described(BALL, Said(color=True)) == "orange ball"
    assert described(BALL, Said(size=True, texture=True, synonym=1)) == "little spotted ball"


@pytest.mark.parametrize(("words", "article"), [("orange ball", "an"), ("arrow", "an"), ("house", "a"), ("mug", "a")])
def test_articles_follow_the_sound(words: str, article: str):
    assert with_article(words) == f"{article} {words}"


def test_several_objects_are_counted():
    assert counted([BALL, BALL], Said(color=True)) == "two orange balls"


def test_lists_end_in_and():
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_sentences_begin_with_a_capital_and_end_in_a_full_stop():
    assert sentence("a red Ball") == "A red Ball."
