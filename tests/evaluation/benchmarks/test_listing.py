from pathlib import Path

import pytest

from cologen.datagen.records import Reason, RejectedError
from cologen.evaluation.benchmarks.listing import fingerprint, json_object, listed, safe_id, words
from cologen.evaluation.records import Item


def made(name: str) -> tuple[Item, str]:
    if name == "bad":
        raise RejectedError(Reason.NULL_CAPTION, "no words")
    return Item(item_id=safe_id(name), cluster=name, prompt="p"), name


def test_what_cannot_be_used_is_rejected_with_its_reason_and_the_rest_keeps_its_order() -> None:
    names = ["b", "bad", "a", "b", "../x", "c"]
    found = listed("bench", [(f"row{i}", lambda name=name: made(name)) for i, name in enumerate(names)], limit=2)
    assert [item.item_id for item in found.items] == ["b", "a"]
    assert [(each.sample_id, each.reason) for each in found.rejected] == [
        ("bench/row1", Reason.NULL_CAPTION),
        ("bench/row3", Reason.DUPLICATE_ID),
        ("bench/row4", Reason.UNSAFE_PATH),
    ]
    assert found.protocol == "the first 2 of 3 (3 rows rejected)"


def test_a_list_without_items_is_an_error() -> None:
    with pytest.raises(ValueError, match="bench has no items: its list is empty"):
        listed("bench", [])
    with pytest.raises(ValueError, match="1 rows were rejected, the first as null_caption"):
        listed("bench", [("0", lambda: made("bad"))])


def test_words_of_any_length_pass_through_on_one_line() -> None:
    assert words({"a": " two\nlines "}, "a") == "two lines"
    assert len(words({"a": "word " * 500}, "a").split()) == 500
    with pytest.raises(RejectedError, match="empty_instruction"):
        words({"a": "n/a"}, "a", Reason.EMPTY_INSTRUCTION)


def test_a_list_that_is_no_object_is_named(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text("[1]")
    with pytest.raises(ValueError, match=r"list\.json: expected a JSON object"):
        json_object(path)
    path.write_text('\ufeff{"a": 1}', encoding="utf-8")
    assert json_object(path) == {"a": 1}


def test_the_fingerprint_is_of_the_content_and_its_division(tmp_path: Path) -> None:
    for name, text in {"a": "12", "b": "3", "c": "1", "d": "23"}.items():
        (tmp_path / name).write_text(text)
    a, b, c, d = (tmp_path / name for name in "abcd")
    assert fingerprint(a, b) != fingerprint(c, d)
    assert fingerprint(a, b) == fingerprint(a, b)
