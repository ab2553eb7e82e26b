"""Settings are the same bytes for the same values, read back as written, and differ by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from cologen.evaluation.settings import differing, in_words, read_settings, write_settings


def test_the_same_settings_are_the_same_bytes(tmp_path: Path) -> None:
    write_settings(tmp_path / "a.json", {"seed": 0, "adapter": None})
    write_settings(tmp_path / "b.json", {"adapter": None, "seed": 0})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert read_settings(tmp_path / "a.json") == {"seed": 0, "adapter": None}


@pytest.mark.parametrize("content", ["[1]", "[]", '{"seed": ', "null", ""])
def test_a_damaged_file_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ValueError, match=r"a\.json holds no settings"):
        read_settings(tmp_path / "a.json")


def test_what_differs_is_named_with_both_values() -> None:
    assert differing({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}) == ["b", "c"]
    assert in_words({"seed": 0}, {"seed": 5}) == "seed: 0, not 5"
    assert in_words({"seed": 0}, {"seed": 0}) == ""
