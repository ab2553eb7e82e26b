from collections.abc import Callable

import pytest

from cologen.datagen.records import Reason, RejectedError
from cologen.datagen.sources import fields


def reason(call: Callable[[], object]) -> Reason:
    with pytest.raises(RejectedError) as error:
        call()
    return error.value.reason


def test_a_record_is_a_json_object_in_utf8() -> None:
    assert fields.parse_record(b'\xef\xbb\xbf{"a": "\xc3\xa9"}') == {"a": "é"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a": "\xff"}', Reason.INVALID_UTF8),
        (b'{"a": 1', Reason.MALFORMED_JSON),
        (b"", Reason.MALFORMED_JSON),
        (b"[" * 200_000, Reason.MALFORMED_JSON),
        (b'{"a": ' + b"9" * 5000 + b"}", Reason.MALFORMED_JSON),
        (b"[1]", Reason.MALFORMED_RECORD),
        (b"null", Reason.MALFORMED_RECORD),
    ],
)
def test_anything_else_is_rejected(data: bytes, expected: Reason) -> None:
    assert reason(lambda: fields.parse_record(data)) is expected


def test_getters_give_the_type_asked_for_or_reject() -> None:
    row = {"n": 3, "yes": True, "x": 1.0, "text": "a", "list": [1], "row": {}}
    assert fields.integer(row, "n") == 3
    assert fields.text(row, "text") == "a"
    assert fields.items(row, "list") == [1]
    assert fields.record(row, "row") == {}
    for getter, names in (
        (fields.integer, ["yes", "x", "text", "none"]),
        (fields.text, ["n", "none"]),
        (fields.items, ["row", "text"]),
        (fields.record, ["list"]),
    ):
        for name in names:
            assert reason(lambda getter=getter, name=name: getter(row, name)) is Reason.MALFORMED_RECORD


def test_an_element_is_named_by_its_number_or_its_place() -> None:
    assert fields.identity({"id": 7}, 2) == "7"
    for value in ({"id": "\ud83d"}, {"id": True}, {}, "text", None):
        assert fields.identity(value, 2) == "2"


def test_words_are_one_line_of_text_or_none() -> None:
    assert fields.words(" a\tcat\n on  a mat. ") == "a cat on a mat."
    assert fields.words(" \n") == fields.words(None) == fields.words(3) == ""
    assert reason(lambda: fields.words("half a pair \ud83d")) is Reason.INVALID_UTF8
