"""Places and relations mean what their words say."""

from dataclasses import replace

import pytest

from cologen.datagen.world.directions import PLACES, RELATIONS
from cologen.datagen.world.objects import SceneObject

BALL = SceneObject(
    shape="ball", color="red", size="small", texture="plain", x=0.5, y=0.5, scale=0.1, angle=0.0, depth=0.5, grain=7
)


@pytest.mark.parametrize(
    ("x", "y", "names"),
    [
        (0.2, 0.5, {"left"}),
        (0.8, 0.5, {"right"}),
        (0.5, 0.2, {"top"}),
        (0.5, 0.8, {"bottom"}),
        (0.5, 0.5, {"middle"}),
        (0.1, 0.1, {"left", "top", "top left"}),
        (0.9, 0.9, {"right", "bottom", "bottom right"}),
        (0.9, 0.1, {"right", "top", "top right"}),
        (0.1, 0.9, {"left", "bottom", "bottom left"}),
    ],
)
def test_places(x: float, y: float, names: set[str]):
    thing = replace(BALL, x=x, y=y)
    assert {name for name, place in PLACES.items() if place.degree(thing) > 0} == names


def test_relations_have_opposites_and_exclude_each_other():
    opposites = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
    for x, y, true in [(0.2, 0.5, "left of"), (0.8, 0.6, "right of"), (0.5, 0.1, "above"), (0.4, 0.9, "below")]:
        other = replace(BALL, x=x, y=y)
        assert {name for name, relation in RELATIONS.items() if relation.degree(other, BALL) > 0} == {true}
        assert RELATIONS[opposites[true]].degree(BALL, other) == RELATIONS[true].degree(other, BALL)


def test_near_things_stand_in_no_relation():
    other = replace(BALL, x=0.53)
    assert all(relation.degree(other, BALL) < 0 for relation in RELATIONS.values())
