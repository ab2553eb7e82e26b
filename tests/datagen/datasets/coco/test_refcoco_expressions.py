from typing import Any

import pytest

from cologen.datagen.datasets.coco.refcoco_expressions import read_expressions, reject_refs
from cologen.datagen.records import Expression, Reason

PLACES = {7: 0, 8: 1}


def ref(identity: int, annotation: Any, *texts: Any) -> dict[str, Any]:
    sentences = [{"id": identity * 10 + place, "sent": text} for place, text in enumerate(texts)]
    return {"id": identity, "ann_id": annotation, "sentences": sentences}


def read(*refs: Any) -> tuple[list[tuple[str, tuple[int, ...]]], list[tuple[str, Reason]]]:
    expressions, rejections = read_expressions("refcoco/1", list(refs), PLACES)
    assert all(isinstance(expression, Expression) for expression in expressions)
    return [(e.text, e.targets) for e in expressions], [(r.sample_id, r.reason) for r in rejections]


def test_each_sentence_is_an_expression_that_means_the_object_of_its_ref() -> None:
    assert read(ref(1, 8, "  left\n cup ", "left cup"), ref(2, 7, "dog")) == (
        [("left cup", (1,)), ("left cup", (1,)), ("dog", (0,))],
        [],
    )


def test_what_is_said_of_two_objects_means_neither() -> None:
    found, rejections = read(ref(1, 7, "the cup", "left cup"), ref(2, 8, "Cup.", "right cup"), ref(3, 8, "a cup"))
    assert found == [("left cup", (0,)), ("right cup", (1,))]
    assert rejections == [(f"refcoco/1@sentence-{number}", Reason.AMBIGUOUS) for number in (10, 20, 30)]


@pytest.mark.parametrize("bad", [ref(5, 99, "cup"), ref(5, None, "cup"), ref(5, True, "cup"), {"id": 5, "ann_id": 7}])
def test_a_ref_without_an_object_is_one_rejection(bad: Any) -> None:
    assert read(ref(1, 7, "dog"), bad) == ([("dog", (0,))], [("refcoco/1@ref-5", Reason.MALFORMED_RECORD)])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, Reason.NULL_CAPTION),
        ("", Reason.NULL_CAPTION),
        (" \n", Reason.NULL_CAPTION),
        ("?!", Reason.NULL_CAPTION),
        ("none", Reason.NULL_CAPTION),
        ("\ud83d", Reason.INVALID_UTF8),
    ],
)
def test_an_expression_without_words_is_one_rejection(text: Any, reason: Reason) -> None:
    assert read(ref(1, 7, "dog", text)) == ([("dog", (0,))], [("refcoco/1@sentence-11", reason)])


def test_refs_without_a_picture_are_counted_one_by_one() -> None:
    rejections = reject_refs("refcoco/9", [ref(4, 7, "a", "b"), {}], "no picture")
    assert [(r.sample_id, r.reason, r.detail) for r in rejections] == [
        (f"refcoco/9@ref-{name}", Reason.MALFORMED_RECORD, "no picture") for name in (4, 1)
    ]
