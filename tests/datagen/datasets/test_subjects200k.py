import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen import images
from cologen.datagen.datasets import Dataset
from cologen.datagen.datasets.subjects200k import halves, open_subjects200k
from cologen.datagen.pair_records import Pair
from cologen.datagen.records import Box, Reason, RejectedError

REAL = Path(__file__).resolve().parents[4] / "shared/real/subjects200k"


def picture(width: int = 96, height: int = 48) -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (width, height), "red").save(file, "PNG")
    return file.getvalue()


def row(image: bytes | None = None, **others: object) -> dict[str, Any]:
    return {
        "image": {"bytes": image or picture(), "path": None},
        "collection": "collection_1",
        "quality_assessment": {"compositeStructure": 5, "objectConsistency": 4, "imageQuality": 3},
        "description": {"item": "a cup", "description_0": "left words", "description_1": "right words"},
        **others,
    }


def source(root: Path, *rows: dict[str, Any]) -> Dataset[Pair]:
    root.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), root / "train-00000-of-00001.parquet")
    return open_subjects200k(root)


def reasons(pairs: Dataset[Pair]) -> list[Reason]:
    return [rejection.reason for i in range(len(pairs)) for rejection in pairs.read(i).rejections]


def test_a_row_is_a_pair_in_both_directions(tmp_path: Path) -> None:
    pairs = source(tmp_path, row())
    forth, back = (pairs.read(i).item for i in range(2))
    assert forth and back and isinstance(pairs, Dataset)
    left, right = Box(x0=8.0, y0=8.0, x1=40.0, y1=40.0), Box(x0=48.0, y0=8.0, x1=80.0, y1=40.0)
    assert (forth.source_box, forth.target_box, forth.instruction) == (left, right, "right words")
    assert (back.source_box, back.target_box, back.instruction) == (right, left, "left words")
    assert forth.source_uri == forth.target_uri == "train-00000-of-00001.parquet#row=0&column=image"
    assert (forth.width, forth.height, forth.source_size, forth.subject) == (32, 32, (32, 32), "a cup")
    assert forth.scores == (("compositeStructure", 5.0), ("objectConsistency", 4.0), ("imageQuality", 3.0))
    assert (forth.pair_id, back.pair_id) == tuple(f"train-00000-of-00001/000000-{way}" for way in ("forth", "back"))


def test_the_published_size_has_the_published_boxes() -> None:
    left, right = halves(1056, 528)
    assert left.xyxy() == (8, 8, 520, 520)
    assert right.xyxy() == (528, 8, 1040, 520)


@pytest.mark.parametrize("size", [(1055, 528), (40, 48), (96, 20), (512, 12)])
def test_other_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(RejectedError) as error:
        halves(*size)
    assert error.value.reason == Reason.SIZE_MISMATCH


def test_a_pair_that_was_never_judged_has_no_scores(tmp_path: Path) -> None:
    half = {"compositeStructure": 5, "objectConsistency": None, "imageQuality": 2}
    pairs = source(tmp_path, row(), row(quality_assessment=None), row(quality_assessment=half))
    found = [pairs.read(i).item for i in (2, 4)]
    assert [pair.scores for pair in found if pair] == [(), (("compositeStructure", 5.0), ("imageQuality", 2.0))]


def test_scores_may_be_floats(tmp_path: Path) -> None:
    judged = {"compositeStructure": 5.0, "objectConsistency": 4.5, "imageQuality": None}
    pair = source(tmp_path, row(quality_assessment=judged)).read(0).item
    assert pair is not None
    assert pair.scores == (("compositeStructure", 5.0), ("objectConsistency", 4.5))


def test_every_bad_row_is_counted_in_each_direction(tmp_path: Path) -> None:
    no_words = {"item": None, "description_0": " ", "description_1": None}
    pairs = source(
        tmp_path,
        row(),
        row(description=no_words),
        row(description=None),
        row() | {"image": None},
        row(picture()[:60]),
        row(b"<html>"),
        row(picture(97)),
        row(description={"item": None, "description_0": "words", "description_1": ""}),
        row(),
    )
    assert reasons(pairs) == [
        *[Reason.NULL_CAPTION] * 2,
        *[Reason.MALFORMED_RECORD] * 2,
        *[Reason.MISSING_IMAGE] * 2,
        *[Reason.TRUNCATED_IMAGE] * 2,
        *[Reason.NOT_AN_IMAGE] * 2,
        *[Reason.SIZE_MISMATCH] * 2,
        Reason.NULL_CAPTION,
    ]
    last = pairs.read(15)
    assert last.item is not None and last.item.subject is None
    assert pairs.read(2).rejections[0].sample_id == "subjects200k/train-00000-of-00001/000001-forth"


def test_missing_columns_and_splits_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no column quality_assessment"):
        source(tmp_path, {"image": b"", "collection": "", "description": None})
    with pytest.raises(ValueError, match="no split 'test'"):
        open_subjects200k(tmp_path, "test")
    with pytest.raises(FileNotFoundError, match=r"validation-\*"):
        open_subjects200k(tmp_path, "val")


@pytest.mark.skipif(not REAL.is_dir(), reason="no real samples beside the checkout")
def test_real_rows_read_and_their_boxes_leave_the_border_out() -> None:
    pairs = open_subjects200k(REAL)
    assert len(pairs) == 6 and reasons(pairs) == []
    for index in range(6):
        pair = pairs.read(index).item
        assert pair is not None and pair.source_size == (512, 512)
        pixels = images.decode(images.read_bytes(REAL, pair.source_uri))
        assert pixels[:6].max() < 40 and pixels[:, 1042:].max() < 40
        assert pair.source_box is not None
        x0, y0, x1, y1 = map(int, pair.source_box.xyxy())
        edges = pixels[y0:y1, x0:x1]
        assert min(np.median(line.max(axis=-1)) for line in (edges[2], edges[-3], edges[:, 2], edges[:, -3])) > 10
