"""One read object stands for one wanted object at most, and the best pairs are chosen."""

from dataclasses import replace

import numpy as np

from cologen.evaluation.worldbench.matching import as_scene_object, as_stated, in_place, is_at, matched
from cologen.evaluation.worldbench.reading import ReadObject
from cologen.evaluation.worldbench.statements import StatedObject

BALL = ReadObject(
    shape="ball",
    color="red",
    texture="striped",
    x=0.2,
    y=0.5,
    scale=0.2,
    angle=0.0,
    mask=np.zeros((4, 4), dtype=bool),
    fit=1.0,
)


def test_two_wanted_balls_need_two_read_ones() -> None:
    wanted = [StatedObject(shape="ball", color="red")] * 2
    assert matched(wanted, [BALL], as_stated).count(None) == 1
    assert None not in matched(wanted, [BALL, replace(BALL, x=0.8)], as_stated)


def test_the_placed_object_takes_the_one_at_its_place() -> None:
    right = replace(BALL, x=0.8)
    wanted = [StatedObject(shape="ball", color="red"), StatedObject(shape="ball", color="red", place="left")]
    assert matched(wanted, [BALL, right], as_stated) == (right, BALL)


def test_another_colour_or_texture_is_another_object() -> None:
    for stated in (
        StatedObject(shape="ball", color="blue"),
        StatedObject(shape="box", color="red"),
        StatedObject(shape="ball", color="red", texture="dotted"),
    ):
        assert as_stated(stated, BALL) == 0
    assert as_stated(StatedObject(shape="ball", color="red", texture="striped"), BALL) == 1


def test_an_object_of_any_colour_is_one_whose_colour_is_unsaid() -> None:
    assert as_stated(StatedObject(shape="ball"), BALL) == 1
    assert as_stated(StatedObject(shape="ball", place="left"), BALL) == 2
    assert as_stated(StatedObject(shape="box"), BALL) == 0


def test_a_place_has_the_slack_of_the_words() -> None:
    assert is_at("left", replace(BALL, x=0.44)) and not is_at("left", replace(BALL, x=0.46))


def test_in_place_is_within_a_sixteenth() -> None:
    thing = as_scene_object(BALL)
    assert in_place(thing, replace(BALL, x=0.26)) == 1
    assert in_place(thing, replace(BALL, x=0.27)) == 0
    assert in_place(thing, replace(BALL, shape=None)) == 0
