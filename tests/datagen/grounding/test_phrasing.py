"""Every task is asked for in many ways, all of them grammatical, and no way too often."""

import re
from collections import Counter
from typing import get_args

import pytest

from cologen.datagen.grounding.phrasing import TEMPLATES, Form, Phrase, cleaned, instruction, phrase_for
from cologen.datagen.grounding.policy import Referring
from cologen.datagen.randomness import generator

NUM_DRAWN = 4000
TASKS = sorted(TEMPLATES)


@pytest.mark.parametrize(("referring", "inverse"), TASKS)
def test_at_least_twelve_phrasings_per_task_and_none_above_a_tenth(referring: Referring, inverse: bool):
    assert len(set(TEMPLATES[referring, inverse])) == len(TEMPLATES[referring, inverse]) >= 12
    said = Counter(
        instruction(referring, Phrase(text="the dog"), "red", generator(0, number), inverse=inverse)
        for number in range(NUM_DRAWN)
    )
    # One instruction of one phrase and colour is a skeleton: a sentence with its word for the mark.
    assert len(said) >= 50
    assert max(said.values()) / NUM_DRAWN < 0.08
    openings = Counter(re.split(r"the dog|a red|the red|red ", sentence)[0] for sentence in said.elements())
    assert max(openings.values()) / NUM_DRAWN < 0.2


@pytest.mark.parametrize(("referring", "inverse"), TASKS)
@pytest.mark.parametrize("color", ["red", "orange"])
@pytest.mark.parametrize("several", [False, True])
def test_instructions_say_phrase_and_color_once_in_one_sentence(
    referring: Referring, inverse: bool, color: str, several: bool
):
    phrase = Phrase(text="all dogs", marks="several") if several else Phrase(text="the dog")
    for number in range(300):
        words = instruction(referring, phrase, color, generator(0, number), inverse=inverse)
        assert words.lower().count(phrase.text) == words.lower().count(color) == 1
        assert words[0].isupper()
        assert words[-1] in ".?"
        assert not re.search(r"[{}]|  |\ba orange|\ban (red|box|mask)|\b(a|an|the) (a|an|the)\b", words)
        if referring != "mask":
            assert bool(re.search(r"\b(boxes|rectangles|frames)\b", words)) == several
            if several:
                assert not re.search(r"\ban? (orange|red|box|bounding|rectangle|frame)", words)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("  The man in red. ", "the man in red"),
        ("left guy", "the left guy"),
        ("a woman holding a bat", "a woman holding a bat"),
        ("one on the left", "the one on the left"),
        ("on the left", "the one on the left"),
        ("in front", 'what is meant by "in front"'),
        ("both dogs", "both dogs"),
        ("guy {0} %s", "the guy {0} %s"),
    ],
)
def test_expressions_become_noun_phrases(raw: str, text: str):
    phrase = phrase_for("expression", raw, 1, generator(0))
    assert phrase.text == text
    assert text in instruction("mask", phrase, "red", generator(0))


@pytest.mark.parametrize("blank", ["", " ", ".", ' "" '])
def test_nothing_is_left_of_a_blank_expression(blank: str):
    assert cleaned(blank) == ""


def test_an_expression_of_several_objects_asks_for_several_boxes():
    phrase = phrase_for("expression", "the two dogs", 2, generator(0))
    assert phrase.marks == "several"


@pytest.mark.parametrize("noun", ["dog", "pair of scissors", "apple"])
def test_forms_of_a_class_name(noun: str):
    def phrases(form: Form, num_targets: int) -> set[str]:
        return {phrase_for(form, noun, num_targets, generator(0, number)).text for number in range(200)}

    assert phrases("the", 1) == {f"the {noun}"}
    assert len(phrases("all", 3)) == 6
    alone, among = phrases("any", 1), phrases("any", 3)
    assert alone < among
    assert not any(" of the " in text for text in alone)
    # An absent object is asked for in the same words as one of several.
    assert phrases("any", 0) == among


def test_plural_phrases_ask_for_several_marks_and_singular_ones_for_one():
    for number in range(100):
        phrase = phrase_for("all", "leaf", 3, generator(0, number))
        assert (phrase.marks == "several") == ("leaves" in phrase.text)


def test_every_form_and_task_is_covered():
    assert {task for task, _ in TEMPLATES} == set(get_args(Referring))
    assert set(get_args(Form)) == {"expression", "the", "all", "any"}
