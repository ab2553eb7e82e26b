"""A plain caption says what its record says, and nothing is made of other sentences."""

import pytest

from cologen.datagen.world.captions import captions
from cologen.datagen.world.directions import PLACES
from cologen.datagen.world.edits import edit
from cologen.datagen.world.levels import LevelName
from cologen.datagen.world.objects import SceneObject
from cologen.datagen.world.scene import sample_scene
from cologen.datagen.world.subjects import subject_pair
from cologen.evaluation.worldbench.statements import StatedObject, Statements, stated_place, statements


def test_the_example() -> None:
    assert statements("a small red ball on the left and a blue star, in the snow") == Statements(
        objects=(
            StatedObject(shape="ball", color="red", size="small", place="left"),
            StatedObject(shape="star", color="blue"),
        ),
        ground="snow",
    )


@pytest.mark.parametrize("level", ["simple", "usual"])
def test_captions_of_thousands_of_scenes_say_what_is_true(level: LevelName) -> None:
    for index in range(700):
        scene = sample_scene(51, index, level)
        for caption in captions(scene, 2):
            said = statements(caption)
            assert said.ground == scene.ground
            assert len(said.objects) == len(scene.objects), caption
            left = list(scene.objects)
            # Of two like objects, the one of which more is said chooses first.
            for stated in sorted(said.objects, key=lambda one: (one.place, one.size, one.texture).count(None)):
                meant = next((thing for thing in left if _is_true(stated, thing)), None)
                assert meant is not None, caption
                left.remove(meant)


def test_a_ground_may_come_first() -> None:
    said = statements("on a table of brown wood, a striped pink fish at the top")
    assert said.ground == "wood"
    assert said.objects == (StatedObject(shape="fish", color="pink", texture="striped", place="top"),)


@pytest.mark.parametrize("level", ["simple", "usual"])
def test_prompts_of_subject_pairs_say_nothing_of_the_subject_but_its_shape_and_place(level: LevelName) -> None:
    for index in range(200):
        pair = subject_pair(3, index, level)
        for words, scene, shown in (
            (pair.first_words, pair.first, pair.first_index),
            (pair.second_words, pair.second, pair.second_index),
        ):
            said, subject = statements(words), scene.objects[shown]
            assert said.ground == scene.ground
            assert len(said.objects) == len(scene.objects)
            (stated,) = [one for one in said.objects if one.color is None]
            assert stated == StatedObject(shape=subject.shape, place=stated.place)
            assert stated.place is None or PLACES[stated.place].degree(subject) > -0.06


@pytest.mark.parametrize(
    "words", ["a red ball", "a red ball beside a tree in the snow", "", "a mug in the snow", "the red mug in the snow"]
)
def test_other_sentences_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        statements(words)


def test_instructions_name_their_places() -> None:
    found = 0
    for index in range(60):
        done = edit(sample_scene(52, index, "simple"), "move", 0)
        if done is not None:
            place = stated_place(done.instruction)
            assert place is not None and PLACES[place].degree(done.after.objects[done.index]) > 0
            found += 1
    assert found > 20
    assert stated_place("Remove the red ball.") is None


def _is_true(stated: StatedObject, thing: SceneObject) -> bool:
    said = {"size": stated.size, "texture": stated.texture}
    if (stated.shape, stated.color) != (thing.shape, thing.color):
        return False
    if any(word is not None and word != getattr(thing, name) for name, word in said.items()):
        return False
    return stated.place is None or PLACES[stated.place].degree(thing) > -0.06
