import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cologen.datagen.records import Reason
from cologen.datagen.world.formats import World, ensure
from cologen.evaluation.benchmarks.magicbrush import open_magicbrush
from cologen.evaluation.benchmarks.options import Options
from cologen.evaluation.records import ScoreError
from tests.evaluation.benchmarks import benchmark_laws as laws

COLORS = {"input": (200, 0, 0), "output1": (0, 200, 0), "output2": (0, 0, 200)}


def turn(number: int, session: str = "12", **others: Any) -> dict[str, Any]:
    source = "input" if number == 1 else f"output{number - 1}"
    return {
        "input": f"{session}-{source}.png",
        "mask": f"{session}-mask{number}.png",
        "output": f"{session}-output{number}.png",
        "instruction": f"edit {number} of {session}",
        **others,
    }


def put_test(root: Path, turns: list[Any]) -> Path:
    """The layout of test.zip: sessions 12 and 7 of two turns and one, 7 with a second picture that nobody asks for."""
    for session in ("12", "7"):
        for name, color in COLORS.items():
            laws.put(root / f"test/images/{session}/{session}-{name}.png", laws.encoded(laws.plain(color)))
        for number in (1, 2):
            mask = laws.plain((*COLORS["input"], 255))
            mask[:, : 4 * number] = 0
            laws.put(root / f"test/images/{session}/{session}-mask{number}.png", laws.encoded(mask))
    names = ("input", "output1", "output2")
    for kind in ("local", "global"):
        said = {
            session: {f"{session}-{name}.png": f"{kind} {name} {session}" for name in names} for session in ("12", "7")
        }
        laws.put(root / f"test/{kind}_descriptions.json", json.dumps(said))
    laws.put(root / "test/edit_turns.json", json.dumps(turns))
    laws.put(root / "test/edit_sessions.json", "{}")
    return root


TURNS = [turn(1), turn(2), turn(1, "7")]


def test_every_turn_is_asked_from_the_true_picture(tmp_path: Path) -> None:
    put_test(tmp_path, TURNS)
    for root in (tmp_path, tmp_path / "test"):
        found = open_magicbrush(root, Options())
        laws.check(found, open_magicbrush(root, Options()))
        assert [item.item_id for item in found.items] == ["12-1", "12-2", "7-1"]
        assert [item.output_names for item in found.items] == [("12/12_1.png",), ("12/12_inde_2.png",), ("7/7_1.png",)]
        assert [item.cluster for item in found.items] == ["12", "12", "7"]
        second = found.items[1]
        assert (second.prompt, second.group, second.task) == ("edit 2 of 12", "turn 2", "editing")
        assert dict(second.texts) == {"output": "local output2 12", "source": "local output1 12"}
        question, expected = found.question(second), found.expected(second)
        assert question.earlier == () and question.width is None
        assert expected.source is not None and expected.target is not None and expected.region is not None
        assert question.pictures[0][0, 0].tolist() == [0, 200, 0] == expected.source[0, 0].tolist()
        assert expected.target[0, 0].tolist() == [0, 0, 200]
        assert expected.region.sum() == 8 * 24 and expected.region[:, :8].all()
    assert not found.shareable and found.networks == {
        "clip": "openai/clip-vit-base-patch32",
        "dino": "facebook/dino-vits16",
    }


def test_a_session_is_its_last_turn_after_all_others(tmp_path: Path) -> None:
    found = open_magicbrush(put_test(tmp_path, [turn(2), turn(1), turn(1, "7")]), Options(turns="multi"))
    laws.check(found, open_magicbrush(tmp_path, Options(turns="multi")))
    assert [item.item_id for item in found.items] == ["12", "7"]
    assert [item.output_names for item in found.items] == [("12/12_iter_2.png",), ("7/7_1.png",)]
    item = found.items[0]
    question, expected = found.question(item), found.expected(item)
    assert (question.earlier, question.prompt) == (("edit 1 of 12",), "edit 2 of 12")
    assert expected.source is not None and expected.target is not None and expected.region is not None
    assert question.pictures[0][0, 0].tolist() == [200, 0, 0] == expected.source[0, 0].tolist()
    assert expected.target[0, 0].tolist() == [0, 0, 200]
    assert expected.region.sum() == 8 * 24, "the masks of both turns"
    assert dict(item.texts) == {"output": "local output2 12", "source": "local input 12"}


def test_options_change_what_they_name_and_the_protocol_says_so(tmp_path: Path) -> None:
    put_test(tmp_path, TURNS)
    usual = open_magicbrush(tmp_path, Options())
    other = open_magicbrush(
        tmp_path, Options(captions="global", reference="source", size=64, clip="some/clip", limit=1)
    )
    assert other.items[0].texts["output"] == "global output1 12"
    assert other.question(other.items[0]).pictures[0].shape == (64, 64, 3)
    assert (other.protocol["reference"], usual.protocol["reference"]) == ("source", "target")
    assert "default of the dataset's script but not of its figures" in other.protocol["captions"]
    assert (other.networks["clip"], other.protocol["clip"]) == ("some/clip", "some/clip")
    assert other.protocol["items"] == "the first 1 of 3 (0 rows rejected)"
    slots = [{need.slot for metric in each.metrics for need in metric.needs} for each in (usual, other)]
    assert "source" not in slots[0] and "target" not in slots[1]
    for options, words in {
        Options(turns="first"): "no turns 'first'",
        Options(captions="long"): "no captions 'long'",
        Options(language="en"): "magicbrush has no option language",
    }.items():
        with pytest.raises(ValueError, match=words):
            open_magicbrush(tmp_path, options)


def test_bad_rows_are_rejected_and_counted(tmp_path: Path) -> None:
    turns = [
        *TURNS,
        "no turn",
        turn(3, output="12-output.png"),
        turn(1, instruction=" "),
        turn(2, "7", input="../../../etc/passwd"),
        turn(2, "13"),
        turn(1),
        turn(2, "7", output="7-output3.png"),
    ]
    found = open_magicbrush(put_test(tmp_path, turns), Options())
    assert [item.item_id for item in found.items] == ["12-1", "12-2", "7-1"]
    assert [(each.sample_id, each.reason) for each in found.rejected] == [
        ("magicbrush/turn_000003", Reason.MALFORMED_RECORD),
        ("magicbrush/turn_000004", Reason.MALFORMED_RECORD),
        ("magicbrush/12-output1", Reason.EMPTY_INSTRUCTION),
        ("magicbrush/7-output2", Reason.UNSAFE_PATH),
        ("magicbrush/13-output2", Reason.MALFORMED_RECORD),
        ("magicbrush/12-output1", Reason.DUPLICATE_ID),
        ("magicbrush/7-output3", Reason.NULL_CAPTION),
    ]
    multi = open_magicbrush(put_test(tmp_path, [turn(1), turn(1, "7"), turn(3, "7")]), Options(turns="multi"))
    assert [each.detail for each in multi.rejected] == ["expected turns from 1 on without a gap, found [1, 3]"]


def test_damaged_pictures_are_bad_inputs(tmp_path: Path) -> None:
    found = open_magicbrush(put_test(tmp_path, TURNS), Options())
    folder = tmp_path / "test/images/12"
    whole = (folder / "12-output2.png").read_bytes()
    (folder / "12-output2.png").write_bytes(whole[:50])
    with pytest.raises(ScoreError, match=r"12-output2\.png"):
        found.expected(found.items[1])
    found.question(found.items[1])
    (folder / "12-input.png").unlink()
    with pytest.raises(ScoreError, match=r"bad_input: missing_image: test/images/12/12-input\.png"):
        found.question(found.items[0])
    laws.put(folder / "12-mask2.png", laws.encoded(np.dstack([laws.plain(), np.full((24, 32), 255, np.uint8)])))
    (folder / "12-output2.png").write_bytes(whole)
    with pytest.raises(ScoreError, match="found none erased"):
        found.expected(found.items[1])


def test_a_caption_of_any_length_passes(tmp_path: Path) -> None:
    put_test(tmp_path, TURNS)
    long = {"12": {"12-output1.png": "very " * 200, "12-output2.png": "b"}, "7": {"7-output1.png": "c"}}
    laws.put(tmp_path / "test/local_descriptions.json", json.dumps(long))
    found = open_magicbrush(tmp_path, Options())
    assert len(found.items[0].texts["output"].split()) == 200 and "source" not in found.items[0].texts


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="test/images, images"):
        open_magicbrush(tmp_path, Options())
    put_test(tmp_path, TURNS)
    (tmp_path / "test/local_descriptions.json").write_text("[]")
    with pytest.raises(ValueError, match=r"local_descriptions\.json: expected a JSON object"):
        open_magicbrush(tmp_path, Options())
    (tmp_path / "test/local_descriptions.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file test/local_descriptions\.json"):
        open_magicbrush(tmp_path, Options())
    with pytest.raises(ValueError, match="magicbrush has no items"):
        open_magicbrush(put_test(tmp_path, []), Options())


@pytest.mark.parametrize("turns", ["single", "multi"])
def test_the_synthetic_dataset_has_the_same_layout(tmp_path: Path, turns: str) -> None:
    ensure("magicbrush_test", tmp_path, World(num_scenes=4, width=64, height=48, seed=3))
    options = Options(turns=turns)
    found = open_magicbrush(tmp_path, options)
    laws.check(found, open_magicbrush(tmp_path, options))
    listed = json.loads((tmp_path / "test/edit_sessions.json").read_text())
    assert len(found.items) == (len(listed) if turns == "multi" else sum(map(len, listed.values())))
    assert found.rejected == ()
    for item in found.items:
        expected = found.expected(item)
        assert expected.source is not None and expected.target is not None and expected.region is not None
        changed = (expected.source != expected.target).any(axis=2)
        assert not (changed & (expected.region == 0)).any(), "nothing changes outside the mask"
    assert laws.oracle_values(found) == dict.fromkeys(("l1", "l2", "l1_inside", "l1_outside"), 0.0)
    idle = laws.identity_values(found)
    assert idle["l1_outside"] == 0 and (idle["l1_inside"] or 0) > (idle["l1"] or 0) > 0
