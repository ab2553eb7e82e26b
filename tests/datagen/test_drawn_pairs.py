"""Drawn pairs are pure functions of (seed, index, level, side), and each task's two pictures differ as it says."""

import numpy as np
import pytest

from cologen.datagen.drawn_pairs import (
    CONTROL_KINDS,
    PAIRS,
    control_pair,
    customized_pair,
    edit_in_turn,
    editing_pair,
    grounding_pair,
    inpaint_pair,
)
from cologen.datagen.world.edits import EDIT_KINDS
from cologen.pictures.masks import HOLE_GREY


@pytest.mark.parametrize("task", PAIRS)
def test_a_pair_is_the_same_whenever_it_is_drawn_and_others_are_others(task: str):
    one, again, other, seeded = (PAIRS[task](*at, "simple", 48) for at in ((3, 5), (3, 5), (3, 6), (4, 5)))
    assert one.source.shape == one.target.shape == (48, 48, 3)
    assert one.prompt == again.prompt
    assert np.array_equal(one.source, again.source) and np.array_equal(one.target, again.target)
    for different in (other, seeded):
        assert not np.array_equal(one.target, different.target)


@pytest.mark.parametrize("level", ["simple", "usual", "rich"])
@pytest.mark.parametrize("task", PAIRS)
def test_every_level_has_every_task(task: str, level: str):
    for index in range(12):
        pair = PAIRS[task](0, index, level, 64)
        assert pair.prompt and not np.array_equal(pair.source, pair.target)


def test_a_hole_is_grey_and_the_rest_is_the_target():
    for index in range(6):
        pair = inpaint_pair(1, index, "simple", 64)
        inside = pair.made.mask > 0
        assert 0 < inside.sum() < inside.size
        assert (pair.source[inside] == HOLE_GREY).all() and np.array_equal(pair.source[~inside], pair.target[~inside])


def test_a_mark_is_on_the_objects_that_it_names():
    for index in range(12):
        pair = grounding_pair(1, index, "simple", 64)
        assert pair.made.targets and max(pair.made.targets) < len(pair.made.scene.objects)
        assert pair.made.row["color"] in pair.prompt


def test_conditions_come_in_turn():
    assert [control_pair(1, index, "simple", 48).made.kind for index in range(6)] == [*CONTROL_KINDS, *CONTROL_KINDS]


def test_a_subject_is_in_both_scenes():
    made = customized_pair(1, 4, "simple", 48).made
    first, second = made.first.objects[made.first_index], made.second.objects[made.second_index]
    assert (first.shape, first.color) == (second.shape, second.color)
    assert made.first.ground != made.second.ground


def test_edits_come_in_turn_with_their_instruction():
    pairs = [editing_pair(2, index, "simple", 48) for index in range(len(EDIT_KINDS))]
    assert [pair.made.kind for pair in pairs] == list(EDIT_KINDS)
    assert [pair.prompt for pair in pairs] == [edit_in_turn(2, i, "simple").instruction for i in range(len(EDIT_KINDS))]
