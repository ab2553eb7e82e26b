"""A footer says the same here as to Arrow, and where it cannot be believed nothing ends the process."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen.images.parquet import files
from cologen.datagen.images.parquet.chunks import Group, read_groups
from cologen.datagen.images.parquet.pages import UnknownEncodingError
from cologen.datagen.records import Reason, RejectedError

CODECS = {"none": 0, "snappy": 1, "gzip": 2, "zstd": 6}


def write(path: Path, num_columns: int = 2, **options: object) -> Path:
    columns = {
        f"column {i}": [{"bytes": b"x" * i, "path": None, "boxes": [1.5, None]}] * 50 for i in range(num_columns)
    }
    table = pa.table({**columns, "image": [b"one", None] * 25, "sure": [True] * 50})
    pq.write_table(table, path, row_group_size=20, **{"compression": "none", **options})
    return path


def groups_of(path: Path) -> tuple[Group, ...]:
    file = os.open(path, os.O_RDONLY)
    try:
        return read_groups(file)
    finally:
        os.close(file)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("num_columns", [0, 2, 30])
def test_groups_are_those_that_arrow_reads(codec: str, num_columns: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", num_columns, compression=codec)
    footer, groups = pq.read_metadata(path), groups_of(path)
    assert [group.num_rows for group in groups] == [20, 20, 10]
    for place, group in enumerate(groups):
        for leaf, chunk in enumerate(group.chunks):
            column = footer.row_group(place).column(leaf)
            assert chunk.path == column.path_in_schema
            assert (chunk.kind == 6) is (column.physical_type == "BYTE_ARRAY")
            assert (chunk.codec, chunk.num_values) == (CODECS[codec], column.num_values)
            assert chunk.stored_size == column.total_compressed_size
            assert chunk.start == (column.dictionary_page_offset or column.data_page_offset)
        assert len(group.chunks) == footer.num_columns


def test_a_file_without_rows_has_no_groups_or_empty_ones(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": pa.array([], pa.binary())}), tmp_path / "a.parquet")
    assert [group.num_rows for group in groups_of(tmp_path / "a.parquet")] in ([], [0])


@pytest.mark.parametrize("data", [b"", b"PAR1", bytes(40), b"\x19\xfc" + b"\xff" * 30 + b"\x04\0\0\0PAR1"])
def test_what_is_no_footer_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(data)
    try:
        assert groups_of(tmp_path / "a.parquet") == ()
    except UnknownEncodingError as error:
        assert "\n" not in str(error)


@pytest.mark.slow
def test_no_byte_of_a_footer_ends_the_process(tmp_path: Path) -> None:
    """A codec of another number, or a column that repeats otherwise than its statistics say, did."""
    whole = write(tmp_path / "whole.parquet").read_bytes()
    end = len(whole) - 8
    start = end - int.from_bytes(whole[end : end + 4], "little")
    refused = 0
    for place in [*range(start, start + 160), *range(start, end, 11)]:
        for change in (1, 0x11, 0x7E):
            data = bytearray(whole)
            data[place] ^= change
            path = tmp_path / f"{place}-{change}.parquet"
            path.write_bytes(data)
            for column in ("image", "column 1"):
                try:
                    files.read_member(str(path), 3, column)
                except RejectedError as error:
                    refused += error.reason in (Reason.TRUNCATED_IMAGE, Reason.MISSING_IMAGE, Reason.MALFORMED_RECORD)
            path.unlink()
    assert refused > 100
