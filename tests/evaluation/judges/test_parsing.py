import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cologen.evaluation.judges.asking import Answer, Ending
from cologen.evaluation.judges.parsing import read_scores
from cologen.evaluation.records import ScoreError

NAMES = ("followed", "kept")


def read(text: str, ending: Ending = "complete") -> list[float]:
    answer = Answer(text=text, model="m", day="2026-11-29", ending=ending)
    return read_scores(answer, NAMES, lowest=0.0, highest=10.0)


GOOD = '{"reasoning": "the ball {is} red", "scores": {"kept": 9, "followed": 7.5}}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"\n  {GOOD}\n",
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}\n```",
        f"Here are my grades:\n```json\n{GOOD}\n```\nThe ball is red.",
    ],
)
def test_scores_come_in_the_order_of_the_names(text: str) -> None:
    assert read(text) == [7.5, 9.0]


def test_the_ends_of_the_scale_belong_to_it() -> None:
    assert read('{"scores": {"followed": 0, "kept": 10}}') == [0.0, 10.0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "one JSON object; the answer begins: (empty)"),
        ("I would say 7 out of 10.", "one JSON object; the answer begins: I would say 7"),
        ("7", "one JSON object"),
        ("[7, 9]", "one JSON object"),
        (GOOD[:-2], "one JSON object"),
        (f"{GOOD} {GOOD}", "one JSON object"),
        (f"My grades: {GOOD}", "one JSON object"),
        (f"```json\n{GOOD}\n```\nor\n```json\n{GOOD}\n```", "got 2 code fences"),
        ('{"followed": 7, "kept": 9}', 'expected "scores"'),
        ('{"scores": [7, 9]}', 'expected "scores"'),
        ('{"scores": {"followed": 7}}', "expected the 2 scores followed, kept, got followed"),
        ('{"scores": {"followed": 7, "kept": 9, "clean": 3}}', "got followed, kept, clean"),
        ('{"scores": {"followed": 7, "Kept": 9}}', "got followed, Kept"),
        ('{"scores": {}}', "got none"),
        ('{"scores": {"followed": 11, "kept": 9}}', "followed from 0 to 10"),
        ('{"scores": {"followed": 7, "kept": -1}}', "kept from 0 to 10"),
        ('{"scores": {"followed": 1e999, "kept": 9}}', "followed from 0 to 10"),
        ('{"scores": {"followed": NaN, "kept": 9}}', "one JSON object"),
        ('{"scores": {"followed": "7", "kept": 9}}', "a number for followed"),
        ('{"scores": {"followed": true, "kept": 9}}', "a number for followed"),
        ('{"scores": {"followed": null, "kept": 9}}', "a number for followed"),
        ('{"scores": {"followed": 1, "followed": 9, "kept": 9}}', "one JSON object"),
        ('{"refused": true, "scores": {"followed": 7, "kept": 9}}', 'expected "scores"'),
        ('{"refused": "true"}', 'expected "scores"'),
        ("[" * 100_000, "one JSON object"),
    ],
)
def test_anything_else_is_unparsable_and_shown(text: str, why: str) -> None:
    with pytest.raises(ScoreError) as error:
        read(text)
    assert error.value.reason == "unparsable"
    assert why in error.value.detail
    assert len(error.value.detail) < 400 and "\n" not in error.value.detail


def test_an_answer_that_was_cut_is_not_read_even_if_it_is_whole() -> None:
    with pytest.raises(ScoreError, match="unparsable: the answer was cut off"):
        read(GOOD, "cut")


@pytest.mark.parametrize("text", ['{"refused": true}', '```json\n{"refused": true, "reasoning": "a face"}\n```'])
def test_a_refusal_in_the_demanded_form_is_one(text: str) -> None:
    with pytest.raises(ScoreError, match="refused: the judge refused"):
        read(text)


def test_a_refusal_outside_of_the_text_is_one_whatever_the_text_says() -> None:
    with pytest.raises(ScoreError, match="refused: the judge refused"):
        read(GOOD, "refused")


@given(st.text() | st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists).map(str))
def test_no_text_raises_anything_but_a_score_error(text: str) -> None:
    with pytest.raises(ScoreError):
        read(text)


@given(st.floats(0, 10), st.integers(0, 10))
def test_what_was_written_is_what_is_read(followed: float, kept: int) -> None:
    assert read(json.dumps({"scores": {"followed": followed, "kept": kept}})) == [followed, kept]
