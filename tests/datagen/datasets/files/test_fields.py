import json
from collections.abc import Callable

import pytest

from cologen.datagen.datasets.files import fields
from cologen.datagen.records import Reason, RejectedError


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
        (b'{"a": 1, "a": 2}', Reason.MALFORMED_JSON),
        (b'{"a": ' + b"[" * 70 + b"]" * 70 + b"}", Reason.MALFORMED_JSON),
        ('{"a": "dog"}'.encode("utf-16"), Reason.INVALID_UTF8),
        ('{"a": "dog"}'.encode("utf-16-be"), Reason.INVALID_UTF8),
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


@pytest.mark.parametrize(
    "blank", [*".-…!", "\u200b", "\ufeff", "\u2060\u00ad", "\u3164", "\u2800", "\x00", "\u202e.", "—"]
)
def test_what_shows_no_letter_has_no_words(blank: str) -> None:
    assert fields.words(blank) == fields.words(f" {blank} \t{blank}") == ""


PLACEHOLDERS = [
    "nan", "NaN", "NAN", "-nan", "-NaN", "#N/A", "#NA", "N/A", "n/a", "NA", "na", "<NA>", "<na>", "n.a.",
    "N.A.", "NULL", "Null", "null", "(null)", "[null]", "None", "none", "NONE", "none.", "NaT", "nil",
    "undefined", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", '"None"', "\\N", "_none_", "#N/A N/A", "n a",
    "No caption", "no description.", "Not available",
]  # fmt: skip


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_a_placeholder_for_a_missing_value_has_no_words(placeholder: str) -> None:
    assert fields.words(placeholder) == fields.words(f"\ufeff {placeholder}\n") == ""


WORDS = [
    "none of the above", "None of the above", "nan bread", "naan", "nanny", "the null hypothesis", "N/A on a sign",
    "nat king cole", "no captions", "nil nil draw", "a", "n", "banana", "none left", "null island",
    "1", "native", "na na na",
]  # fmt: skip


@pytest.mark.parametrize("text", WORDS)
def test_words_that_begin_as_a_placeholder_are_words(text: str) -> None:
    assert fields.words(text) == text


def test_invisible_characters_are_no_part_of_words() -> None:
    assert fields.words("\ufeffa\u200b dog\x00and a\x0bcat\u00ad") == "a dog and a cat"
    assert fields.words("ein Hünd, 犬 und 👩‍🚀") == "ein Hünd, 犬 und 👩‍🚀"


def test_values_that_cannot_be_used_are_kept_to_be_rejected_where_they_are_read() -> None:
    for data, expected in ((b'{"a": 1, "a": 2}', Reason.MALFORMED_JSON), (b"\xff", Reason.INVALID_UTF8)):
        kept = fields.parse_own(json.dumps({"it": fields.parse_or_mark(data)}).encode())
        assert reason(lambda kept=kept: fields.record(kept, "it")) is expected
    assert reason(lambda: fields.as_record({"~rejected": ["no reason", "x"]}, "it")) is Reason.MALFORMED_RECORD
    assert reason(lambda: fields.as_record({"~rejected": 5}, "it")) is Reason.MALFORMED_RECORD
    assert fields.parse_or_mark(b'{"a": NaN}').keys() == {"a"}


def test_an_id_is_a_whole_number_in_any_form() -> None:
    for form in (17, 17.0, "17", "000000000017"):
        assert fields.identifier(form) == 17
    for form in (None, True, 1.5, float("nan"), float("inf"), "a", "", "1.0", "١", [17], {}, 1 << 63, 1e300, "9" * 30):
        assert fields.identifier(form) is None
    assert fields.pixels({"width": 640.0}, "width") == 640
    for value in (640.5, "640", True, None, float("nan")):
        assert reason(lambda value=value: fields.pixels({"width": value}, "width")) is Reason.MALFORMED_RECORD
