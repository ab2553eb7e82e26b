"""The second scene of a pair has its subject; the first has it too, but not the rest of the prompt."""

from dataclasses import replace

import pytest

from cologen.datagen.world.subjects import subject_pair
from cologen.evaluation.worldbench.reading import read
from cologen.evaluation.worldbench.subject_measures import customized
from tests.evaluation.worldbench.drawn import mean, picture_of


def test_the_second_scene_is_right_and_the_first_is_not() -> None:
    pairs = [subject_pair(60, index, "simple") for index in range(25)]
    right = [customized(read(picture_of(pair.second), "simple"), pair) for pair in pairs]
    copies = [customized(read(picture_of(pair.first), "simple"), pair) for pair in pairs]
    assert mean(each.subject for each in right) >= 0.95
    assert mean(each.whole for each in right) >= 0.9
    assert mean(each.subject for each in copies) >= 0.95
    assert mean(each.whole for each in copies) == 0
    assert mean(each.prompt.ground for each in copies) <= 0.1


def test_a_scene_without_the_subject_is_wrong() -> None:
    for index in range(15):
        pair = subject_pair(61, index, "simple")
        rest = tuple(thing for i, thing in enumerate(pair.second.objects) if i != pair.second_index)
        values = customized(read(picture_of(replace(pair.second, objects=rest)), "simple"), pair)
        assert values.subject == 0 and values.whole == 0


def test_rich_prompts_are_refused() -> None:
    pair = subject_pair(60, 0, "rich")
    with pytest.raises(ValueError, match="plain words"):
        customized(read(picture_of(pair.second), "rich"), pair)
