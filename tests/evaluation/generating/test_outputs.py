"""A folder of outputs: one model's and one protocol's; other programs' names; nothing extra goes unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cologen.evaluation.generating.outputs import OutputFolder, shown_for
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
    assert folder.extra(folder.found([ONE])) == ["notes/stray.png"]


def test_an_items_bare_name_does_not_serve_for_several_outputs(tmp_path: Path) -> None:
    _save(tmp_path / "cat.png")
    with pytest.raises(ScoreError, match=r"missing: no cat-1\.png"):
        OutputFolder(tmp_path).find(TWO, 1)


def test_why_an_output_is_missing_is_kept_until_it_is_there(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "outputs")
    folder.begin({})
    folder.write("cat", 1, ValueError("no room"))
    with pytest.raises(ScoreError, match="bad_input: no room"):
        folder.find(TWO, 1)
    folder.write("cat", 1, toy.picture("cat"))
    assert folder.find(TWO, 1).name == "cat-1.png"
    assert [path.name for path in folder.path.glob("*.json")] == ["generation.json"]


def test_files_of_others_are_neither_removed_nor_believed(tmp_path: Path) -> None:
    _save(tmp_path / "holiday-1.png")
    (tmp_path / "cat-1.json").write_text('{"prompt": "a cat"}')
    folder = OutputFolder(tmp_path)
    for fresh in (False, True):
        with pytest.raises(ValueError, match="not generated here"):
            folder.begin({}, fresh=fresh)
    assert (tmp_path / "holiday-1.png").exists()
    with pytest.raises(ScoreError, match="missing"):
        folder.find(TWO, 1)


@pytest.mark.parametrize("name", ["holiday-2024.png", "cat-0.png", "cat-1.json"])
def test_fresh_never_removes_what_was_put_beside_our_outputs(name: str, tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "outputs")
    folder.begin({})
    folder.write("dog-1", 0, toy.picture("dog"))
    folder.write("dog-2", 0, ValueError("no room"))
    stray = folder.path / name
    _save(stray) if stray.suffix == ".png" else stray.write_text('{"prompt": "a cat"}')
    content = stray.read_bytes()
    with pytest.raises(ValueError, match=rf"{name} was not generated here.*move it away"):
        folder.begin({"seed": 1}, fresh=True)
    assert stray.read_bytes() == content
    stray.unlink()
    folder.begin({"seed": 1}, fresh=True)
    assert [path.name for path in folder.path.iterdir()] == ["generation.json"]


def test_settings_without_any_output_bind_nobody(tmp_path: Path) -> None:
    """A base that was mistyped fails when it is loaded, after the settings are written."""
    folder = OutputFolder(tmp_path / "outputs")
    folder.begin({"base": "/mistyped"})
    folder.begin({"base": "/FLUX"})
    assert folder.settings() == {"base": "/FLUX"}


def test_a_kill_while_the_settings_are_written_leaves_a_folder_that_can_be_used(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    (tmp_path / ".generation.json.1a2b3c4d").write_text("{")
    folder.begin({"seed": 0})
    assert folder.settings() == {"seed": 0}


def test_a_file_that_two_outputs_would_have_is_known(tmp_path: Path) -> None:
    """a-0.png is output 0 of item a, or the bare name of item a-0."""
    _save(tmp_path / "a-0.png")
    items = [Item(item_id=name, cluster=name, prompt="") for name in ("a", "a-0", "b")]
    found = OutputFolder(tmp_path).found(items)
    assert found == {tmp_path / "a-0.png": ["output 0 of a", "output 0 of a-0"]}


def test_an_output_says_what_it_was_made_from(tmp_path: Path) -> None:
    OutputFolder(tmp_path).write("cat", 0, toy.picture("cat"), shown="abc")
    _save(tmp_path / "theirs.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "cat-0.png").read_bytes()[:40])
    assert [shown_for(tmp_path / f"{name}.png") for name in ("cat-0", "theirs", "torn")] == ["abc", "", ""]


def test_settings_that_cannot_be_read_are_one_message(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    for content in ("[1]", '{"seed": ', "null"):
        (tmp_path / "generation.json").write_text(content)
        with pytest.raises(ValueError, match=r"generation\.json holds no settings"):
            folder.settings()


def test_a_torn_output_is_made_again(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "outputs")
    folder.begin({})
    folder.write("cat", 0, toy.picture("cat"))
    folder.write("cat", 1, toy.picture("cat"))
    path = folder.path / "cat-1.png"
    path.write_bytes(path.read_bytes()[:-20])
    assert folder.missing([TWO]) == [(TWO, 1)]


def test_our_own_outputs_have_one_name_each(tmp_path: Path) -> None:
    """Item a-0's missing output must not be found as item a's output 0."""
    folder = OutputFolder(tmp_path / "outputs")
    folder.begin({})
    folder.write("a", 0, toy.picture("a"))
    with pytest.raises(ScoreError, match="missing"):
        folder.find(Item(item_id="a-0", cluster="a", prompt=""), 0)
