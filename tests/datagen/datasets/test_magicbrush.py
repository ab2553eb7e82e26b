import io
import json
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen.datasets import Dataset, Reading
from cologen.datagen.datasets.files.index import Index
from cologen.datagen.datasets.files.parquet_rows import ParquetRows
from cologen.datagen.datasets.magicbrush import open_folders, open_magicbrush, open_tables
from cologen.datagen.pair_records import Pair
from cologen.datagen.records import Reason


def png(size: tuple[int, int] = (64, 48), mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    PIL.Image.new(mode, size).save(file, "PNG")
    return file.getvalue()


def row(**others: object) -> dict[str, Any]:
    cells = {"source_img": png(), "mask_img": png(mode="RGBA"), "target_img": png(), **others}
    pictures = {
        name: value if value is None else {"bytes": value, "path": "a.png"}
        for name, value in cells.items()
        if name.endswith("_img")
    }
    return {"img_id": "12", "turn_index": 1, "instruction": "make it red", **others, **pictures}


def put_turns(root: Path, *turns: object) -> Path:
    folder = root / "test/images/12"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("12-input", "12-mask1", "12-output1", "12-output2"):
        (folder / f"{name}.png").write_bytes(png(mode="RGBA" if "mask" in name else "RGB"))
    (root / "test/edit_turns.json").write_text(json.dumps(turns))
    return root


TURN = {"input": "12-input.png", "mask": "12-mask1.png", "output": "12-output1.png", "instruction": "make it red"}


def readings(pairs: Dataset[Pair]) -> list[Reading[Pair]]:
    return [pairs.read(index) for index in range(len(pairs))]


def rejections(pairs: Dataset[Pair]) -> list[tuple[str, Reason]]:
    return [(each.sample_id, each.reason) for reading in readings(pairs) for each in reading.rejections]


def test_rows_of_parquet_become_pairs_and_bad_ones_are_counted(tmp_path: Path) -> None:
    rows = [
        row(),
        row(instruction=""),
        row(source_img=None),
        row(target_img=b"no picture"),
        row(mask_img=None),
        row(mask_img=png((32, 32)), turn_index=2),
        row(img_id=None),
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train-00000-of-00051-9fd9f23eb0b1cbe9.parquet")
    pairs = open_magicbrush(tmp_path)
    assert isinstance(pairs.rows, ParquetRows)
    stem = "train-00000-of-00051-9fd9f23eb0b1cbe9"
    assert rejections(pairs) == [
        (f"magicbrush/{stem}/000001", Reason.EMPTY_INSTRUCTION),
        (f"magicbrush/{stem}/000002", Reason.MISSING_IMAGE),
        (f"magicbrush/{stem}/000003", Reason.NOT_AN_IMAGE),
        (f"magicbrush/{stem}/000004-12-1@mask", Reason.MISSING_IMAGE),
        (f"magicbrush/{stem}/000005-12-2@mask", Reason.SIZE_MISMATCH),
        (f"magicbrush/{stem}/000006", Reason.MALFORMED_RECORD),
    ]
    found = [reading.item for reading in readings(pairs) if reading.item]
    assert [pair.pair_id for pair in found] == [f"{stem}/000000-12-1", f"{stem}/000004-12-1", f"{stem}/000005-12-2"]
    assert [pair.mask_uri for pair in found] == [f"{stem}.parquet#row=0&column=mask_img", None, None]
    assert (found[0].instruction, found[0].width, found[0].source_size) == ("make it red", 64, (64, 48))


def test_numbers_in_other_types_name_a_pair_the_same(tmp_path: Path) -> None:
    """As pandas writes whole numbers beside a missing one."""
    for number, (img_id, turn) in enumerate([(12, 1.0), (12.0, "1"), ("12", 1)]):
        table = pa.Table.from_pylist([row(img_id=img_id, turn_index=turn)])
        pq.write_table(table, tmp_path / f"train-{number}.parquet")
    found = [reading.item and reading.item.pair_id for reading in readings(open_magicbrush(tmp_path))]
    assert found == [f"train-{number}/000000-12-1" for number in range(3)]


def test_missing_columns_are_one_error(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{"img_id": "1", "instruction": "a"}]), tmp_path / "dev-0.parquet")
    with pytest.raises(ValueError, match="no column source_img and no column mask_img and no column target_img"):
        open_tables(tmp_path, "val")


def test_turns_of_the_test_set_become_pairs(tmp_path: Path) -> None:
    second = {**TURN, "input": "12-output1.png", "output": "12-output2.png", "instruction": "and round"}
    put_turns(tmp_path, TURN, second)
    for root, start in ((tmp_path, "test/images"), (tmp_path / "test", "images")):
        pairs = open_magicbrush(root, "test")
        assert isinstance(pairs.rows, Index) and isinstance(pairs, Dataset)
        found = [reading.item for reading in readings(pairs) if reading.item]
        assert [pair.pair_id for pair in found] == ["12-output1", "12-output2"]
        assert found[0].source_uri == f"{start}/12/12-input.png"
        assert found[0].mask_uri == f"{start}/12/12-mask1.png"
        assert found[1].source_uri == found[0].target_uri == f"{start}/12/12-output1.png"
        assert (found[1].instruction, found[1].split) == ("and round", "test")


def test_every_bad_turn_is_counted_and_takes_no_other_with_it(tmp_path: Path) -> None:
    turns = [
        TURN,
        {**TURN, "instruction": "again"},
        {**TURN, "output": "13-output1.png"},
        {**TURN, "output": "../../../../etc/passwd-1.png"},
        {**TURN, "output": 5},
        "no turn",
        {**TURN, "output": "12-output2.png", "instruction": None},
        {**TURN, "output": "12-input.png", "mask": "12-mask9.png"},
    ]
    pairs = open_folders(put_turns(tmp_path, *turns))
    assert sorted(rejections(pairs)) == [
        ("magicbrush/../../../../etc/passwd-1", Reason.UNSAFE_PATH),
        ("magicbrush/12-input@mask", Reason.MISSING_IMAGE),
        ("magicbrush/12-output1", Reason.DUPLICATE_ID),
        ("magicbrush/12-output2", Reason.EMPTY_INSTRUCTION),
        ("magicbrush/13-output1", Reason.MISSING_IMAGE),
        ("magicbrush/turn-000004", Reason.MALFORMED_RECORD),
        ("magicbrush/turn-000005", Reason.MALFORMED_RECORD),
    ]
    assert [reading.item.pair_id for reading in readings(pairs) if reading.item] == ["12-input", "12-output1"]


@pytest.mark.parametrize(("text", "message"), [("[{},", "edit_turns.json: "), ("{}", "expected an array of turns")])
def test_a_broken_list_is_one_error(text: str, message: str, tmp_path: Path) -> None:
    put_turns(tmp_path)
    (tmp_path / "test/edit_turns.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        open_folders(tmp_path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="test/images, images"):
        open_magicbrush(tmp_path, "test")
    put_turns(tmp_path)
    (tmp_path / "test/edit_turns.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file test/edit_turns\.json"):
        open_magicbrush(tmp_path, "test")
    with pytest.raises(ValueError, match="no split 'night'"):
        open_magicbrush(tmp_path, "night")
