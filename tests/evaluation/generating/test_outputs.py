"""A folder of outputs: one model's and one protocol's; other programs' names; nothing extra goes unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cologen.evaluation.generating.outputs import OutputFolder
from cologen.evaluation.records import Item, ScoreError
from tests.evaluation import toy

ONE = Item(item_id="dog-1", cluster="dog", prompt="", output_names=("dog/dog_{i}.jpg",))
TWO = Item(item_id="cat", cluster="cat", prompt="", num_outputs=2)


def _save(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16)).save(path)


def test_a_folder_holds_outputs_of_one_kind(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "outputs")
    folder.begin({"seed": 0, "adapter": "a"})
    folder.write("dog-1", 0, toy.picture("dog"))
    folder.begin({"seed": 0, "adapter": "a"})
    with pytest.raises(ValueError, match=r"adapter: 'a', not 'b'.*--fresh"):
        folder.begin({"seed": 0, "adapter": "b"})
    assert folder.missing([ONE]) == []
    folder.begin({"seed": 0, "adapter": "b"}, fresh=True)
    assert folder.missing([ONE]) == [(ONE, 0)]


def test_what_is_missing_is_in_order(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    folder.write("cat", 0, toy.picture("cat"))
    assert folder.missing([ONE, TWO]) == [(ONE, 0), (TWO, 1)]


@pytest.mark.parametrize("name", ["dog-1-0.png", "dog-1-0.webp", "dog-1.jpg", "dog/dog_0.jpg"])
def test_names_of_other_programs_are_found(name: str, tmp_path: Path) -> None:
    _save(tmp_path / name)
    _save(tmp_path / "notes" / "stray.png")
    folder = OutputFolder(tmp_path)
    assert folder.find(ONE, 0) == tmp_path / name
    assert folder.extra([ONE]) == ["notes/stray.png"]


def test_an_items_bare_name_does_not_serve_for_several_outputs(tmp_path: Path) -> None:
    _save(tmp_path / "cat.png")
    with pytest.raises(ScoreError, match=r"missing: no cat-1\.png"):
        OutputFolder(tmp_path).find(TWO, 1)


def test_why_an_output_is_missing_is_kept_until_it_is_there(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    folder.write("cat", 1, ValueError("no room"))
    with pytest.raises(ScoreError, match="bad_input: no room"):
        folder.find(TWO, 1)
    folder.write("cat", 1, toy.picture("cat"))
    assert folder.find(TWO, 1).name == "cat-1.png"
    assert not list(tmp_path.glob("*.json"))
