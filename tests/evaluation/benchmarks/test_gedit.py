from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen.records import Reason
from cologen.datagen.world.formats import World, ensure
from cologen.evaluation.benchmarks.gedit import TASKS, open_gedit
from cologen.evaluation.benchmarks.options import Options
from cologen.evaluation.records import ScoreError
from tests.evaluation.benchmarks import benchmark_laws as laws


def row(key: str, **others: Any) -> dict[str, Any]:
    picture = {"bytes": laws.encoded(laws.plain((9, 90, 200))), "path": "a.png"}
    return {
        "task_type": "color_alter",
        "key": key,
        "instruction": f"do {key}",
        "instruction_language": "en",
        "input_image": picture,
        "input_image_raw": picture,
        "Intersection_exist": True,
        **others,
    }


def put_rows(root: Path, *rows: dict[str, Any]) -> Path:
    (root / "data").mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), root / "data/train-00000-of-00004.parquet")
    return root


def test_a_language_and_a_set_are_chosen(tmp_path: Path) -> None:
    rows = [
        row("a1"),
        row("b2", instruction_language="cn", instruction="改变颜色"),
        row("c3", task_type="subject-add", Intersection_exist=False),
    ]
    put_rows(tmp_path, *rows)
    found = open_gedit(tmp_path, Options())
    laws.check(found, open_gedit(tmp_path, Options()))
    assert [item.item_id for item in found.items] == ["a1", "c3"] and found.rejected == ()
    assert [item.group for item in found.items] == ["color_alter", "subject-add"]
    assert found.items[1].output_names == ("fullset/subject-add/en/c3.png",)
    assert found.protocol["mean"].endswith("2 of 11 are there")
    assert all(getattr(metric, "macro", False) for metric in found.metrics)
    assert found.expected(found.items[0]).target is None
    assert [item.prompt for item in open_gedit(tmp_path, Options(language="cn")).items] == ["改变颜色"]
    assert [item.item_id for item in open_gedit(tmp_path, Options(split="intersection")).items] == ["a1"]


def test_bad_rows_are_rejected_and_damage_is_a_bad_input(tmp_path: Path) -> None:
    rows = [
        row("a", instruction_language="zh"),
        row("b", task_type="other"),
        row("c", instruction=None),
        row("d/e"),
        row("f", Intersection_exist=None),
        row("g", input_image={"bytes": b"xx", "path": None}),
        row("g"),
    ]
    found = open_gedit(put_rows(tmp_path, *rows), Options())
    assert [item.item_id for item in found.items] == ["g"]
    assert [each.reason for each in found.rejected] == [
        Reason.MALFORMED_RECORD,
        Reason.MALFORMED_RECORD,
        Reason.EMPTY_INSTRUCTION,
        Reason.UNSAFE_PATH,
        Reason.MALFORMED_RECORD,
        Reason.DUPLICATE_ID,
    ]
    assert found.rejected[0].detail == "instruction_language: expected one of en, cn, found 'zh'"
    with pytest.raises(ScoreError, match=r"bad_input.*not_an_image"):
        found.question(found.items[0])


def test_what_does_not_apply_or_is_missing_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file train-\*\.parquet"):
        open_gedit(tmp_path, Options())
    put_rows(tmp_path, {name: value for name, value in row("a").items() if name != "key"})
    with pytest.raises(ValueError, match="no column key"):
        open_gedit(tmp_path, Options())
    with pytest.raises(ValueError, match="gedit has no language 'zh': expected 'en' or 'cn'"):
        open_gedit(tmp_path, Options(language="zh"))
    with pytest.raises(ValueError, match="gedit has no option clip"):
        open_gedit(tmp_path, Options(clip="x"))


def test_the_synthetic_dataset_has_the_same_layout(tmp_path: Path) -> None:
    ensure("gedit_bench", tmp_path, World(num_scenes=8, width=64, height=48, seed=3))
    for language in ("en", "cn"):
        found = open_gedit(tmp_path, Options(language=language))
        laws.check(found, open_gedit(tmp_path, Options(language=language)))
        assert len(found.items) == 8 and found.rejected == ()
        assert {item.group for item in found.items} <= set(TASKS)
