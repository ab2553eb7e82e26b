"""Every level keeps what it promises, and all that is said at it is true and short."""

import itertools
import re

import pytest

from cologen.datagen.world.captions import MAX_PLAIN_CAPTIONS, captions
from cologen.datagen.world.directions import PLACES
from cologen.datagen.world.edits import EDIT_KINDS, edit
from cologen.datagen.world.formats.drawing import CAPTIONS_PER_SCENE
from cologen.datagen.world.levels import LEVEL_NAMES, LEVELS, LevelName
from cologen.datagen.world.plain_captions import PLAIN_PLACES
from cologen.datagen.world.referring import referring_phrases
from cologen.datagen.world.scene import Scene, sample_scene, visible_fractions
from cologen.datagen.world.subjects import SubjectPair, subject_pair

PLAIN: tuple[LevelName, ...] = ("simple", "usual")


@pytest.fixture(scope="module")
def scenes() -> dict[LevelName, list[Scene]]:
    return {level: [sample_scene(3, index, level) for index in range(150)] for level in LEVEL_NAMES}


@pytest.mark.parametrize("level", LEVEL_NAMES)
def test_scenes_use_the_words_of_their_level_and_all_of_them(level: LevelName, scenes: dict[LevelName, list[Scene]]):
    kinds, things = LEVELS[level], [thing for scene in scenes[level] for thing in scene.objects]
    assert {thing.shape for thing in things} == set(kinds.shapes)
    assert {thing.color for thing in things} == set(kinds.colors)
    assert {thing.texture for thing in things} == set(kinds.textures)
    assert {thing.size for thing in things} == set(kinds.sizes)
    assert {len(scene.objects) for scene in scenes[level]} == set(range(1, kinds.max_objects + 1))


def test_levels_draw_different_scenes_of_one_seed(scenes: dict[LevelName, list[Scene]]):
    assert len({scene.key for found in scenes.values() for scene in found}) == 450


@pytest.mark.parametrize("level", LEVEL_NAMES)
def test_as_much_of_each_object_is_seen_as_its_level_says(level: LevelName, scenes: dict[LevelName, list[Scene]]):
    seen = [min(visible_fractions(scene.objects, 96, 96)) for scene in scenes[level]]
    assert min(seen) >= LEVELS[level].min_visible


def test_objects_of_a_simple_scene_are_large_plain_and_distinct(scenes: dict[LevelName, list[Scene]]):
    for scene in scenes["simple"]:
        assert all(thing.scale > 0.18 and thing.texture == "plain" for thing in scene.objects)
        for a, b in itertools.combinations(scene.objects, 2):
            assert a.shape != b.shape and a.color != b.color


@pytest.mark.parametrize("level", PLAIN)
def test_plain_captions_name_every_object_once_and_place_it_truly(
    level: LevelName, scenes: dict[LevelName, list[Scene]]
):
    for scene in scenes[level]:
        for caption in captions(scene, CAPTIONS_PER_SCENE):
            words = caption.split()
            for thing in scene.objects:
                assert f"{thing.color} {thing.shape}" in caption
            if not LEVELS[level].distinct:
                continue
            for place in PLAIN_PLACES:
                for color, shape in re.findall(rf"(\w+) (\w+) {PLACES[place].phrases[0]}", caption):
                    (thing,) = [it for it in scene.objects if (it.color, it.shape) == (color, shape)]
                    assert PLACES[place].degree(thing) > 0
            assert len(words) <= 24


def test_every_scene_has_as_many_plain_captions_as_are_promised(scenes: dict[LevelName, list[Scene]]):
    for scene in scenes["simple"]:
        assert len(set(captions(scene, MAX_PLAIN_CAPTIONS))) == MAX_PLAIN_CAPTIONS
    with pytest.raises(ValueError, match="up to 8 captions"):
        captions(scenes["simple"][0], 9)


def test_simple_instructions_say_neither_size_nor_texture_nor_relation(scenes: dict[LevelName, list[Scene]]):
    found = [made for scene in scenes["simple"] for kind in EDIT_KINDS if (made := edit(scene, kind, 1))]
    assert {made.kind for made in found} == set(EDIT_KINDS)
    for made in found:
        assert not re.search(r"large|big|medium|small|tiny|plain|most|above|below| of ", made.instruction)
        assert made.after.level == "simple"
        assert len(made.after.objects) <= LEVELS["simple"].max_objects


def test_simple_objects_are_told_by_shape_alone(scenes: dict[LevelName, list[Scene]]):
    for scene in scenes["simple"][:40]:
        for index, thing in enumerate(scene.objects):
            phrases = referring_phrases(scene, index)
            assert phrases[:2] == (f"the {thing.shape}", f"the {thing.color} {thing.shape}")
            assert not any(re.search("large|medium", phrase) for phrase in phrases)


def test_simple_subjects_are_the_only_ones_of_their_shape_and_colour_in_both_scenes():
    pairs: list[SubjectPair] = [subject_pair(11, index, "simple") for index in range(60)]
    assert len({pair.second.key for pair in pairs}) == 60
    for pair in pairs:
        subject = pair.first.objects[pair.first_index]
        assert pair.item == f"{subject.color} {subject.shape}"
        for scene, words in ((pair.first, pair.first_words), (pair.second, pair.second_words)):
            assert sum(thing.shape == subject.shape or thing.color == subject.color for thing in scene.objects) == 1
            assert words.count(f"the {subject.shape}") == 1 and pair.item not in words
