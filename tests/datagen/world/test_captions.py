"""Captions are true, distinct, always the same, and of many forms."""

import re

import pytest

from cologen.datagen.world.captions import MAX_CAPTIONS, captions
from cologen.datagen.world.nouns import COUNT_WORDS, SIZE_WORDS
from cologen.datagen.world.scene import Scene, sample_scene
from cologen.datagen.world.vocabulary import COLORS, GROUNDS, SHAPES, TEXTURES

PLURALS = {shape.plural: name for name, shape in SHAPES.items()}


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [sample_scene(9, index) for index in range(500)]


def _skeleton(caption: str) -> str:
    """The caption with every noun phrase as N and every ground as G: what is left is its form."""
    for place in (place for ground in GROUNDS.values() for place in ground.places):
        caption = re.sub(place, "G", caption, flags=re.IGNORECASE)
    sizes = {word for words in SIZE_WORDS.values() for word in words}
    textures = {word for texture in TEXTURES.values() for word in texture.adjectives}
    adjectives = "|".join(sorted({*sizes, *textures, *COLORS}))
    nouns = "|".join(sorted({*SHAPES, *PLURALS}))
    determiners = "|".join(("an?", "the", *COUNT_WORDS))
    return re.sub(rf"\b(({determiners}) )?(({adjectives}) )*({nouns})\b", "N", caption, flags=re.IGNORECASE).lower()


def test_the_same_scene_says_the_same(scenes: list[Scene]):
    assert captions(scenes[0], 5) == captions(sample_scene(9, 0), 5)
    assert captions(scenes[0], 5)[:2] == captions(scenes[0], 2)


def test_captions_of_a_scene_are_distinct(scenes: list[Scene]):
    for scene in scenes[:100]:
        assert len(set(captions(scene, 10))) == 10


def test_even_a_scene_of_one_plain_object_has_all_the_captions(scenes: list[Scene]):
    poorest = next(s for s in scenes if len(s.objects) == 1 and s.objects[0].texture == "plain")
    assert len(set(captions(poorest, MAX_CAPTIONS))) == MAX_CAPTIONS
    with pytest.raises(ValueError, match="asked for 51"):
        captions(poorest, MAX_CAPTIONS + 1)


def test_forms_vary(scenes: list[Scene]):
    """Of 500 scenes' first captions, over half have a form of their own; no form makes more than a twentieth."""
    forms = [_skeleton(captions(scene, 1)[0]) for scene in scenes]
    assert len(set(forms)) > 250
    assert max(forms.count(form) for form in set(forms)) <= 25


def test_objects_in_captions_exist(scenes: list[Scene]):
    pair = re.compile(rf"\b({'|'.join(COLORS)}) ({'|'.join(SHAPES)})\b")
    for scene in scenes[:200]:
        things = {(thing.color, thing.shape) for thing in scene.objects}
        for caption in captions(scene, 4):
            assert set(pair.findall(caption)) <= things


def test_counts_are_true(scenes: list[Scene]):
    group = re.compile(rf"\b({'|'.join(COUNT_WORDS[2:])}) ({'|'.join(COLORS)}) ({'|'.join(PLURALS)})\b")
    seen = 0
    for scene in scenes:
        for number, color, plural in group.findall(captions(scene, 1)[0].lower()):
            alike = [thing for thing in scene.objects if (thing.color, thing.shape) == (color, PLURALS[plural])]
            assert COUNT_WORDS[len(alike)] == number
            seen += 1
    assert seen > 5


def test_captions_are_clean_text(scenes: list[Scene]):
    for scene in scenes[:200]:
        for caption in captions(scene, 3):
            assert caption == caption.strip()
            assert "  " not in caption
            assert not re.search(r"\ba [aeio]\w|\ban [^aeio\W]|\.\.|,\.", caption)
