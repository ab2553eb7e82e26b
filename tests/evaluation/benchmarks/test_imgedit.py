import json
from pathlib import Path
from typing import Any

import pytest

from cologen.datagen.records import Reason
from cologen.datagen.world.formats import World, ensure
from cologen.evaluation.benchmarks.imgedit import open_imgedit
from cologen.evaluation.benchmarks.options import Options
from cologen.evaluation.records import ScoreError
from tests.evaluation.benchmarks import benchmark_laws as laws

EDITS = {
    "1082": {"id": "animal/000342021.jpg", "prompt": "Make the shell smooth.", "edit_type": "alter"},
    "97": {"id": "daily object/000276684.jpg", "prompt": "Add a lamp.", "edit_type": "add"},
    "98": {"id": "daily object/000276684.jpg", "prompt": "Add a cup.", "edit_type": "add"},
}


def put_edits(root: Path, edits: dict[str, Any], folder: str = "") -> Path:
    for name in ("animal/000342021.jpg", "daily object/000276684.jpg"):
        laws.put(root / folder / name, laws.encoded(laws.plain((0, 200, 0)), "JPEG"))
    laws.put(root / "basic_edit.json", json.dumps(edits))
    return root


@pytest.mark.parametrize("folder", ["", "original_images", "singleturn"])
def test_the_list_names_items_and_pictures_wherever_they_are(tmp_path: Path, folder: str) -> None:
    put_edits(tmp_path, EDITS, folder)
    found = open_imgedit(tmp_path, Options())
    laws.check(found, open_imgedit(tmp_path, Options()))
    assert [(item.item_id, item.group) for item in found.items] == [("1082", "alter"), ("97", "add"), ("98", "add")]
    assert found.items[1].cluster == found.items[2].cluster != found.items[0].cluster
    assert (found.items[0].prompt, found.items[0].output_names) == ("Make the shell smooth.", ("1082.png",))
    assert found.question(found.items[1]).pictures[0].shape == (24, 32, 3)
    assert "2 of 9 are there" in found.protocol["mean"]


def test_a_type_has_one_name_in_all_releases_of_the_list(tmp_path: Path) -> None:
    edits = {name: {"id": "a.jpg", "prompt": "p", "edit_type": name} for name in ("alter", "adjust", "sharpen")}
    found = open_imgedit(put_edits(tmp_path, edits), Options())
    assert [item.group for item in found.items] == ["alter", "alter"]
    assert found.rejected[0].detail.endswith("found 'sharpen'")


def test_bad_rows_are_rejected_and_damage_is_a_bad_input(tmp_path: Path) -> None:
    bad = {"id": "../x.jpg", "prompt": "p", "edit_type": "add"}
    edits = {
        "1": bad,
        "2": {**bad, "id": "animal/none.jpg"},
        "3": {**bad, "id": "a.jpg", "prompt": ""},
        "4": "no edit",
        "5": {**bad, "id": "a.jpg", "edit_type": None},
        "6/7": {**bad, "id": "a.jpg"},
    }
    found = open_imgedit(put_edits(tmp_path, edits), Options())
    assert [each.reason for each in found.rejected] == [
        Reason.UNSAFE_PATH,
        Reason.EMPTY_INSTRUCTION,
        Reason.MALFORMED_RECORD,
        Reason.MALFORMED_RECORD,
        Reason.UNSAFE_PATH,
    ]
    with pytest.raises(ScoreError, match=r"bad_input: missing_image: animal/none\.jpg"):
        found.expected(found.items[0])


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file basic_edit\.json"):
        open_imgedit(tmp_path, Options())
    laws.put(tmp_path / "basic_edit.json", "[]")
    with pytest.raises(ValueError, match="expected a JSON object"):
        open_imgedit(tmp_path, Options())
    with pytest.raises(ValueError, match="imgedit has no option size: it has limit"):
        open_imgedit(tmp_path, Options(size=64))


def test_the_synthetic_dataset_has_the_same_layout(tmp_path: Path) -> None:
    ensure("imgedit_bench", tmp_path, World(num_scenes=6, width=64, height=48, seed=3))
    found = open_imgedit(tmp_path, Options())
    laws.check(found, open_imgedit(tmp_path, Options()))
    assert [item.item_id for item in found.items] == [str(number) for number in range(1, 7)]
    assert found.rejected == ()
