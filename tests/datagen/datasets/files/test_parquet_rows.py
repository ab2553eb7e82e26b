from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen.datasets.files.parquet_rows import ParquetRows, parquet_files
from cologen.datagen.images.parquet import files as parquet_images
from cologen.datagen.records import Reason, RejectedError

SIZES = [100, 3, 1]


def write(folder: Path, place: int, num_rows: int, *, first: int = 0, **others: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rows = range(first, first + num_rows)
    columns = {"image": [bytes([row]) for row in rows], "words": [f"row {row}" for row in rows], **others}
    path = folder / f"train-{place:05d}-of-00003.parquet"
    pq.write_table(
        pa.table({name: column for name, column in columns.items() if column is not None}), path, row_group_size=70
    )
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [write(tmp_path / "data", i, SIZES[i], first=sum(SIZES[:i])) for i in range(3)]


def opened(root: Path) -> ParquetRows:
    return ParquetRows(root, parquet_files(root, "train"), pictures=["image"], values=["words"])


def reason(rows: ParquetRows, index: int) -> Reason:
    with pytest.raises(RejectedError) as error:
        rows.read(index)
    return error.value.reason


def test_rows_of_all_files_come_in_their_order(tmp_path: Path, files: list[Path]) -> None:
    rows = opened(tmp_path)
    assert len(rows) == 104
    for index in [*range(104), 103, 0, 71, 2]:
        assert rows.read(index) == {"words": f"row {index}"}
        path, _, cell = rows.uri(index, "image").partition("#")
        assert parquet_images.read_member(str(tmp_path / path), *parquet_images.parse_cell(cell)) == bytes([index])
    assert [rows.key(i) for i in (0, 99, 100, 103)] == [
        "train-00000-of-00003/000000", "train-00000-of-00003/000099", "train-00001-of-00003/000000",
        "train-00002-of-00003/000000",
    ]  # fmt: skip
    for index in (-1, 104):
        with pytest.raises(IndexError):
            rows.read(index)


def test_a_damaged_file_takes_one_place_and_no_other_with_it(tmp_path: Path, files: list[Path]) -> None:
    files[1].write_bytes(files[1].read_bytes()[:-30])
    rows = opened(tmp_path)
    assert len(rows) == 102
    assert reason(rows, 100) == Reason.TRUNCATED_IMAGE
    assert [rows.read(index)["words"] for index in (99, 101)] == ["row 99", "row 103"]


def test_a_file_without_rows_has_no_place(tmp_path: Path, files: list[Path]) -> None:
    write(tmp_path / "data", 1, 0, words=pa.array([], pa.string()), image=pa.array([], pa.binary()))
    rows = opened(tmp_path)
    assert [rows.read(index)["words"] for index in (99, 100)] == ["row 99", "row 103"]


def test_missing_columns_are_one_error_that_names_them(tmp_path: Path, files: list[Path]) -> None:
    write(tmp_path / "data", 1, 3, image=None, other=[1, 2, 3])
    with pytest.raises(
        ValueError,
        match=r"train-00001-of-00003\.parquet has no column image: expected image, words; "
        r"found words, other",
    ):
        opened(tmp_path)


def test_words_that_are_not_utf8_spoil_their_row_alone(tmp_path: Path) -> None:
    broken = pa.array([b"good", b"\xff\xfe", b"good"], pa.binary()).view(pa.string())
    write(tmp_path, 0, 3, words=broken)
    rows = opened(tmp_path)
    assert reason(rows, 1) == Reason.INVALID_UTF8
    assert rows.read(2) == {"words": "good"}


def test_files_are_found_in_data_or_at_the_root_by_their_split(tmp_path: Path) -> None:
    for name in (
        "train-00000-of-00001-ab12.parquet",
        "train.parquet",
        "dev-00000-of-00001.parquet",
        "training.parquet",
    ):
        (tmp_path / name).touch()
    assert [path.name for path in parquet_files(tmp_path, "train")] == [
        "train-00000-of-00001-ab12.parquet", "train.parquet",
    ]  # fmt: skip
    with pytest.raises(FileNotFoundError, match=r"no file val-\*\.parquet in"):
        parquet_files(tmp_path, "val")
    with pytest.raises(FileNotFoundError, match="not a folder"):
        parquet_files(tmp_path / "none", "train")


def test_the_fingerprint_follows_words_of_the_same_length(tmp_path: Path, files: list[Path]) -> None:
    before = opened(tmp_path).fingerprint
    states = [path.stat() for path in files]
    write(tmp_path / "data", 1, 3, first=100, words=["row 100", "row 109", "row 102"])
    assert [path.stat().st_size for path in files] == [state.st_size for state in states]
    assert opened(tmp_path).fingerprint != before
    write(tmp_path / "data", 1, 3, first=100)
    assert opened(tmp_path).fingerprint == before


def test_the_fingerprint_follows_the_files(tmp_path: Path, files: list[Path]) -> None:
    before = opened(tmp_path).fingerprint
    assert opened(tmp_path).fingerprint == before
    write(tmp_path / "data", 1, 4)
    assert opened(tmp_path).fingerprint != before
