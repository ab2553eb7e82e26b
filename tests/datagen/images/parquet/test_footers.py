"""A footer is believed only where the file can hold what it claims."""

import os
import struct
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cologen.datagen.images.parquet import footers
from cologen.datagen.images.parquet.footers import open_parquet, open_schema, readable
from cologen.datagen.records import Reason, RejectedError
from tests.datagen.hostile_parquets import write


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "a.parquet", [b"one", b"two"])


def refusal(path: Path) -> RejectedError:
    with pytest.raises(RejectedError, match=path.name) as error:
        open_parquet(str(path))
    assert "\n" not in error.value.detail
    return error.value


def test_a_whole_file_opens(file: Path) -> None:
    assert open_parquet(str(file)).metadata.num_rows == 2
    assert open_schema(str(file)).names == ["image"]


@pytest.mark.parametrize("length", [0, 1, 1000, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1])
def test_a_footer_of_another_length_is_rejected(length: int, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-8] + struct.pack("<I", length) + b"PAR1")
    assert refusal(file).reason is Reason.TRUNCATED_IMAGE


def test_a_footer_is_no_larger_than_stated(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footers, "MAX_FOOTER_BYTES", 10)
    assert "at most 10" in refusal(file).detail


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" * 2, b"PAR1" * 3, bytes(100), b"PARE" * 10])
def test_what_is_no_parquet_file_is_rejected(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(data)
    assert refusal(tmp_path / "a.parquet").reason is Reason.TRUNCATED_IMAGE


def test_a_folder_and_a_pipe_are_rejected_and_never_waited_for(tmp_path: Path) -> None:
    (tmp_path / "folder.parquet").mkdir()
    os.mkfifo(tmp_path / "pipe.parquet")
    for name in ("folder.parquet", "pipe.parquet"):
        assert refusal(tmp_path / name).reason is Reason.MISSING_IMAGE
    with pytest.raises(FileNotFoundError):
        open_parquet(str(tmp_path / "none.parquet"))


def test_every_flip_in_a_footer_is_read_or_rejected(file: Path) -> None:
    whole = file.read_bytes()
    for place in range(len(whole) - pq.read_metadata(file).serialized_size - 8, len(whole)):
        for bit in (place % 3, 7):
            data = bytearray(whole)
            data[place] ^= 1 << bit
            file.write_bytes(data)
            try:
                open_schema(str(file))
            except RejectedError as error:
                assert error.detail.startswith("a.parquet: ")


def test_an_error_of_the_disk_is_no_damage() -> None:
    def fail() -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        readable("a.parquet", fail)
