import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen import images, parquet_images
from cologen.datagen.records import Reason, RejectedError

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
CELLS = [None if row == 5 else bytes([row]) * (row + 1) for row in range(200)]


def write(path: Path, cells: list[bytes | None] = CELLS, rows_per_group: int = 70, **options: object) -> Path:
    structs = [{"bytes": cell, "path": "a.jpg"} if row != 6 else None for row, cell in enumerate(cells)]
    columns = {"image": pa.array(structs, IMAGE), "plain": pa.array(cells, pa.binary()), "text": ["words"] * len(cells)}
    pq.write_table(pa.table(columns), path, row_group_size=rows_per_group, **options)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "a.parquet")


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A file of which only Arrow can read a cell, and the group's others with it."""
    return write(tmp_path / "whole.parquet", compression="zstd")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, tuple[str, ...]]]:
    """Every (row group, columns) that Arrow is asked for."""
    asked: list[tuple[int, tuple[str, ...]]] = []
    read = pq.ParquetFile.iter_batches

    def counted(self: pq.ParquetFile, *args: object, row_groups: list[int], columns: list[str], **others: object):
        asked.append((row_groups[0], tuple(columns)))
        return read(self, *args, row_groups=row_groups, columns=columns, **others)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    return asked


def refusal(path: Path, row: int, column: str = "image") -> RejectedError:
    with pytest.raises(RejectedError) as error:
        parquet_images.read_member(str(path), row, column)
    return error.value


@pytest.mark.parametrize("options", [{}, {"use_dictionary": False}, {"compression": "zstd"}, {"compression": "none"}])
def test_every_cell_comes_back_from_a_struct_and_from_plain_bytes(options: dict[str, object], tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", **options)
    for row in np.random.default_rng(0).permutation(len(CELLS)).tolist():
        if row != 5:
            assert parquet_images.read_member(str(path), row, "plain") == CELLS[row]
            if row != 6:
                assert parquet_images.read_member(str(path), row, "image") == CELLS[row]


def test_null_cells_rows_outside_and_unknown_columns_are_missing_images(file: Path) -> None:
    for row, column in ((5, "image"), (6, "image"), (5, "plain"), (200, "image"), (10**15, "image"), (0, "picture")):
        assert refusal(file, row, column).reason == Reason.MISSING_IMAGE
    assert "row 200 of a file of 200 rows" in refusal(file, 200).detail
    assert "there are image, plain, text" in refusal(file, 0, "picture").detail
    assert refusal(file, 0, "text").reason == Reason.MALFORMED_RECORD


def test_a_file_without_rows_is_read_as_one(tmp_path: Path) -> None:
    assert refusal(write(tmp_path / "a.parquet", []), 0).detail == "row 0 of a file of 0 rows"


@pytest.mark.parametrize("keep", [0, 3, 200, -1])
def test_a_truncated_file_is_rejected_by_name(keep: int, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:keep])
    error = refusal(file, 0)
    assert error.reason == Reason.TRUNCATED_IMAGE
    assert error.detail.startswith("a.parquet: ")


def test_a_damaged_page_spoils_its_group_alone(file: Path) -> None:
    data = bytearray(file.read_bytes())
    chunk = pq.ParquetFile(file).metadata.row_group(1).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    data[start : start + 40] = b"\xff" * 40
    file.write_bytes(data)
    assert refusal(file, 100).reason == Reason.TRUNCATED_IMAGE
    assert parquet_images.read_member(str(file), 0, "image") == CELLS[0]


def test_what_is_no_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        parquet_images.read_member(str(tmp_path / "none.parquet"), 0, "image")
    os.mkfifo(tmp_path / "pipe.parquet")
    assert refusal(tmp_path / "pipe.parquet", 0).reason == Reason.MISSING_IMAGE


def test_cells_are_read_alone(file: Path, decoded: list[object]) -> None:
    for row in range(7, 200):
        assert parquet_images.read_member(str(file), row, "image") == CELLS[row]
    assert decoded == []


def test_what_cannot_be_read_alone_is_decoded_once_and_only_the_asked_column(
    whole: Path, decoded: list[object]
) -> None:
    for row in np.random.default_rng(1).permutation(range(7, 200)).tolist():
        assert parquet_images.read_member(str(whole), row, "image") == CELLS[row]
    assert sorted(decoded) == [(group, ("image.bytes",)) for group in range(3)]


def test_what_is_kept_is_bounded_but_never_fewer_than_it_must_be() -> None:
    made: list[int] = []

    def make(value: int) -> int:
        made.append(value)
        return value

    recent = parquet_images._Recent[int](100, 3, lambda value: value)

    def values_made(*values: int) -> list[int]:
        made.clear()
        for value in values:
            assert recent.get(("a", 0, value, "image"), lambda value=value: make(value)) == value
        return made

    assert values_made(1000, 1001, 1002, 1000, 1001) == [1000, 1001, 1002]
    assert values_made(1003, 1000, 1001, 1002) == [1003, 1002]
    assert values_made(*range(20, 28), *range(25, 28)) == list(range(20, 28))
    assert values_made(27, 26, 25, 24) == [24]


def test_a_rewritten_file_is_read_anew(file: Path) -> None:
    assert parquet_images.read_member(str(file), 1, "image") == CELLS[1]
    write(file, [b"other"] * 200)
    assert parquet_images.read_member(str(file), 1, "image") == b"other"


def test_threads_share_what_one_of_them_found(file: Path, whole: Path, decoded: list[object]) -> None:
    rows = np.random.default_rng(2).permutation(range(7, 200)).tolist()
    with ThreadPoolExecutor(4) as pool:
        for path in (file, whole):
            found = list(pool.map(lambda row, path=path: parquet_images.read_member(str(path), row, "image"), rows))
            assert found == [CELLS[row] for row in rows]
    assert len(decoded) == 3


def test_a_spawned_process_opens_its_own(file: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(parquet_images.read_member, (str(file), 9, "image")) == CELLS[9]


def test_groups_of_small_columns_come_in_batches(file: Path) -> None:
    batches = parquet_images.read_group(str(file), 0, ["text"])
    assert [batch.num_rows for batch in batches] == [parquet_images.ROWS_PER_BATCH, 70 - parquet_images.ROWS_PER_BATCH]
    assert batches[1].to_pylist() == [{"text": "words"}] * 6


def test_addresses_come_back() -> None:
    uri = parquet_images.cell_uri("data/a.parquet", 17, "image")
    assert uri == "data/a.parquet#row=17&column=image"
    assert parquet_images.parse_cell(uri.partition("#")[2]) == (17, "image")


@pytest.mark.parametrize(
    "member", ["", "17", "row=&column=a", "row=-1&column=a", "row=1&column=", "row=1", "row=²&column=a"]
)
def test_other_addresses_are_refused(member: str) -> None:
    with pytest.raises(RejectedError, match="expected row=…&column=…"):
        parquet_images.parse_cell(member)


def test_images_reads_and_probes_cells(tmp_path: Path) -> None:
    import cv2

    picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    write(tmp_path / "data.parquet", [cv2.imencode(".png", picture)[1].tobytes(), b"", None])
    assert images.probe(tmp_path, "./data.parquet#row=0&column=image") == (48, 32)
    decoded = images.decode(images.read_bytes(tmp_path, "data.parquet#row=0&column=image"))
    np.testing.assert_array_equal(decoded, picture[..., ::-1])
    for uri, reason in {
        "data.parquet#row=1&column=image": Reason.EMPTY_FILE,
        "data.parquet#row=2&column=image": Reason.MISSING_IMAGE,
        "none.parquet#row=0&column=image": Reason.MISSING_IMAGE,
        "../data.parquet#row=0&column=image": Reason.UNSAFE_PATH,
        "/data.parquet#row=0&column=image": Reason.UNSAFE_PATH,
        "data.parquet#member": Reason.UNSAFE_PATH,
    }.items():
        for read in (images.read_bytes, images.probe):
            with pytest.raises(RejectedError) as error:
                read(tmp_path, uri)
            assert error.value.reason == reason
