import io
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen.datasets import Dataset
from cologen.datagen.datasets.omniedit import open_omniedit
from cologen.datagen.pair_records import Pair
from cologen.datagen.records import Reason


def picture(width: int = 64, height: int = 48) -> dict[str, Any]:
    file = io.BytesIO()
    PIL.Image.new("RGB", (width, height), "red").save(file, "JPEG")
    return {"bytes": file.getvalue(), "path": "a.jpg"}


def row(**others: object) -> dict[str, Any]:
    scores = {"sc_score_1": 9, "sc_score_2": 10, "pq_score": 8, "o_score": 8.5}
    return {
        "omni_edit_id": "task_addition_1",
        "task": "addition",
        "src_img": picture(),
        "edited_img": picture(80, 60),
        "edited_prompt_list": ["Add a dog.", " Put a dog\nin. ", "Add a dog."],
        **scores,
        **others,
    }


def source(root: Path, *rows: dict[str, Any], name: str = "train-00000-of-00571.parquet") -> Dataset[Pair]:
    pq.write_table(pa.Table.from_pylist(list(rows)), root / name)
    return open_omniedit(root)


def test_a_row_is_a_pair_with_its_phrasings_task_and_scores(tmp_path: Path) -> None:
    pairs = source(tmp_path, row())
    pair = pairs.read(0).item
    assert isinstance(pairs, Dataset) and pair is not None
    assert pair.instructions == ("Add a dog.", "Put a dog in.") and pair.instruction == "Add a dog."
    assert (pair.width, pair.height, pair.source_size, pair.split) == (80, 60, (64, 48), "train")
    assert pair.source_uri == "train-00000-of-00571.parquet#row=0&column=src_img"
    assert pair.target_uri == "train-00000-of-00571.parquet#row=0&column=edited_img"
    assert (pair.pair_id, pair.edit_type, pair.subject) == ("train-00000-of-00571/000000", "addition", None)
    assert pair.scores == (("sc_score_1", 9.0), ("sc_score_2", 10.0), ("pq_score", 8.0), ("o_score", 8.5))


def test_every_bad_row_is_counted_and_takes_no_other_with_it(tmp_path: Path) -> None:
    pairs = source(
        tmp_path,
        row(),
        row(edited_prompt_list=[]),
        row(edited_prompt_list=[" ", None]),
        row(edited_prompt_list=None),
        row(src_img=None),
        row(edited_img={"bytes": None, "path": "gone.jpg"}),
        row(edited_img={"bytes": picture()["bytes"][:-200], "path": ""}),
        row(src_img={"bytes": b"", "path": ""}),
        row(edited_img=picture(8, 8)),
        row(task=None, sc_score_1=None),
    )
    readings = [pairs.read(index) for index in range(10)]
    assert [rejection.reason for reading in readings for rejection in reading.rejections] == [
        Reason.EMPTY_INSTRUCTION,
        Reason.EMPTY_INSTRUCTION,
        Reason.MALFORMED_RECORD,
        Reason.MISSING_IMAGE,
        Reason.MISSING_IMAGE,
        Reason.TRUNCATED_IMAGE,
        Reason.EMPTY_FILE,
        Reason.TOO_SMALL,
    ]
    assert readings[1].rejections[0].sample_id == "omniedit/train-00000-of-00571/000001"
    last = readings[-1].item
    assert last is not None and last.edit_type is None
    assert [name for name, _ in last.scores] == ["sc_score_2", "pq_score", "o_score"]


def test_scores_that_are_no_numbers_are_malformed(tmp_path: Path) -> None:
    assert source(tmp_path, row(pq_score="eight")).read(0).rejections[0].reason == Reason.MALFORMED_RECORD


def test_validation_lies_in_dev(tmp_path: Path) -> None:
    source(tmp_path, row())
    (tmp_path / "train-00000-of-00571.parquet").rename(tmp_path / "dev-00000-of-00001.parquet")
    for split in ("val", "dev"):
        pair = open_omniedit(tmp_path, split).read(0).item
        assert pair is not None and pair.split == split
    with pytest.raises(FileNotFoundError):
        open_omniedit(tmp_path)


def test_missing_columns_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no column edited_img and no column o_score: expected src_img, edited_img"):
        source(tmp_path, {name: value for name, value in row().items() if name not in ("edited_img", "o_score")})
