from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen.records import Reason
from cologen.datagen.world.formats import World, ensure
from cologen.evaluation.benchmarks.emu_edit import open_emu_edit
from cologen.evaluation.benchmarks.options import Options
from cologen.evaluation.records import ScoreError
from tests.evaluation.benchmarks import benchmark_laws as laws


def row(idx: object, **others: Any) -> dict[str, Any]:
    return {
        "instruction": f"edit {idx}",
        "image": {"bytes": laws.encoded(laws.plain((10, 20, 30), (40, 30))), "path": None},
        "task": "color",
        "split": "test",
        "idx": idx,
        "hash": f"h{idx}",
        "input_caption": "a red ball",
        "output_caption": f"a blue ball {idx}",
        **others,
    }


def put_rows(root: Path, rows: list[dict[str, Any]], name: str = "data/test-00000-of-00001-0a1b2c.parquet") -> Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), root / name)
    return root


def test_rows_are_named_by_idx_and_compared_with_their_source(tmp_path: Path) -> None:
    put_rows(tmp_path, [row(7), row(3, task="text", hash="h7")])
    found = open_emu_edit(tmp_path, Options())
    laws.check(found, open_emu_edit(tmp_path, Options()))
    assert [(item.item_id, item.group, item.cluster) for item in found.items] == [
        ("7", "color", "h7"),
        ("3", "text", "h7"),
    ]
    item = found.items[0]
    assert dict(item.texts) == {"source": "a red ball", "output": "a blue ball 7"}
    question, expected = found.question(item), found.expected(item)
    assert question.pictures[0].shape == (512, 512, 3) and (question.width, question.height) == (512, 512)
    assert expected.source is not None and expected.source.shape == (30, 40, 3) and expected.target is None
    assert found.networks["clip"] == "openai/clip-vit-large-patch14"
    assert {need.slot for metric in found.metrics for need in metric.needs} == {"output", "source", "texts"}


def test_identical_captions_are_left_out_if_asked_and_counted(tmp_path: Path) -> None:
    put_rows(tmp_path, [row(1), row(2, output_caption="a  red ball "), row(3)])
    assert len(open_emu_edit(tmp_path, Options()).items) == 3
    found = open_emu_edit(tmp_path, Options(drop_identical_captions=True))
    assert [item.item_id for item in found.items] == ["1", "3"]
    assert [(each.sample_id, each.reason) for each in found.rejected] == [
        ("emu_edit/test-00000-of-00001-0a1b2c/000001", Reason.IDENTICAL_PAIR)
    ]
    assert "equal captions left out" in found.protocol["captions"]


def test_swapped_splits_are_said_and_items_keep_their_idx(tmp_path: Path) -> None:
    put_rows(tmp_path, [row(5, split="validation"), row(6, split="validation"), row(7)])
    found = open_emu_edit(tmp_path, Options(split="test"))
    assert [item.item_id for item in found.items] == ["5", "6", "7"]
    assert found.notes[1].startswith("2 rows of the files 'test' say split 'validation'")
    put_rows(tmp_path, [row(8, split="validation")], "data/validation-00000-of-00001.parquet")
    other = open_emu_edit(tmp_path, Options(split="validation"))
    assert [item.item_id for item in other.items] == ["8"] and len(other.notes) == 1


def test_bad_rows_are_rejected_and_damage_is_a_bad_input(tmp_path: Path) -> None:
    whole = laws.encoded(laws.plain((1, 2, 3), (64, 64)))
    rows = [
        row(1, instruction=" "),
        row(2, output_caption=None),
        row(3, image={"bytes": whole[:70], "path": None}),
        row(4, image=None),
        row(3),
        row(None),
        row(5, output_caption="long " * 300),
    ]
    found = open_emu_edit(put_rows(tmp_path, rows), Options())
    assert [item.item_id for item in found.items] == ["3", "4", "5"]
    assert [each.reason for each in found.rejected] == [
        Reason.EMPTY_INSTRUCTION,
        Reason.NULL_CAPTION,
        Reason.DUPLICATE_ID,
        Reason.MALFORMED_RECORD,
    ]
    for item, words in ((found.items[0], "truncated"), (found.items[1], "missing_image")):
        for use in (found.question, found.expected):
            with pytest.raises(ScoreError, match=f"bad_input.*{words}"):
                use(item)
    assert len(found.items[2].texts["output"].split()) == 300


def test_what_does_not_apply_or_is_missing_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file test-\*\.parquet"):
        open_emu_edit(tmp_path, Options())
    put_rows(tmp_path, [{name: value for name, value in row(1).items() if name != "output_caption"}])
    with pytest.raises(ValueError, match="no column output_caption"):
        open_emu_edit(tmp_path, Options())
    for options, words in {
        Options(reference="target"): "no reference 'target': expected 'source'",
        Options(turns="multi"): "emu_edit has no option turns",
        Options(split="train"): "no split 'train'",
    }.items():
        with pytest.raises(ValueError, match=words):
            open_emu_edit(tmp_path, options)


def test_the_synthetic_dataset_has_the_same_layout(tmp_path: Path) -> None:
    ensure("emu_edit", tmp_path, World(num_scenes=12, width=64, height=48, seed=3))
    found = open_emu_edit(tmp_path, Options(size=64))
    laws.check(found, open_emu_edit(tmp_path, Options(size=64)))
    others = open_emu_edit(tmp_path, Options(split="validation"))
    assert len(found.items) + len(others.items) == 12 and len(others.items) == 2
    assert found.rejected == () and len(found.notes) == 1
