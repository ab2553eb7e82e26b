"""Class names become words that can stand in a sentence."""

import pytest

from cologen.datagen.grounding.nouns import plural, said, singular, with_article
from cologen.datagen.world.vocabulary import SHAPES


@pytest.mark.parametrize(
    ("class_name", "noun", "one", "many"),
    [
        ("dog", "dog", "a dog", "dogs"),
        ("mouse_(computer_equipment)", "mouse", "a mouse", "mice"),
        ("monitor_(computer_equipment) computer_monitor", "monitor", "a monitor", "monitors"),
        ("chest_of_drawers_(furniture)", "chest of drawers", "a chest of drawers", "chests of drawers"),
        ("fire hydrant", "fire hydrant", "a fire hydrant", "fire hydrants"),
        ("steak_knife", "steak knife", "a steak knife", "steak knives"),
        ("short_pants", "short pants", "a pair of short pants", "pairs of short pants"),
        ("orange_juice", "orange juice", "an instance of orange juice", "instances of orange juice"),
        ("umbrella", "umbrella", "an umbrella", "umbrellas"),
        ("unicycle", "unicycle", "a unicycle", "unicycles"),
        ("hourglass", "hourglass", "an hourglass", "hourglasses"),
        ("toy", "toy", "a toy", "toys"),
        ("baby", "baby", "a baby", "babies"),
        ("sheep", "sheep", "a sheep", "sheep"),
    ],
)
def test_one_and_many(class_name: str, noun: str, one: str, many: str):
    assert said(class_name) == noun
    assert with_article(singular(noun)) == one
    assert plural(noun) == many


def test_the_worlds_own_plurals():
    assert {shape: plural(shape) for shape in SHAPES} == {name: shape.plural for name, shape in SHAPES.items()}


@pytest.mark.parametrize("blank", ["", "_", " ", "_(thing)"])
def test_nothing_is_left_of_a_blank_name(blank: str):
    assert said(blank) == ""
