"""Any part of a block is that part of the whole."""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cologen.datagen.images.parquet.blocks import plain_block, read_exactly, snappy_block
from cologen.datagen.images.parquet.pages import UnknownEncodingError
from cologen.datagen.randomness import generator

NOISE = generator(0, "block").integers(0, 256, 300_001, dtype=np.uint8).tobytes()
MIXED = NOISE[:100_000] + bytes(90_000) + NOISE[:30_000] * 2 + b"words " * 2000


@pytest.fixture
def file(tmp_path: Path):
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def stored(file: int, data: bytes) -> int:
    """The length of ``data`` compressed, which lies in the file from byte 7 on."""
    compressed = pa.compress(data, "snappy", asbytes=True)
    os.pwrite(file, compressed, 7)
    return len(compressed)


@pytest.mark.parametrize("data", [b"", b"a", bytes(65_536), NOISE[:65_537], NOISE, MIXED])
def test_parts_of_a_snappy_block(file: int, data: bytes) -> None:
    block = snappy_block(file, 7, stored(file, data), len(data))
    cuts = [0, len(data), *generator(1, "cuts").integers(0, len(data) + 1, 60).tolist()]
    for start, stop in pairwise(cuts):
        start, stop = min(start, stop), max(start, stop)
        assert block.read(file, start, stop) == data[start:stop]
        if start + 4 <= len(data):
            assert block.read_span(file, start, 4)[:4] == data[start : start + 4]


def test_parts_of_a_plain_block(file: int) -> None:
    os.pwrite(file, NOISE, 11)
    block = plain_block(11, len(NOISE))
    assert block.read(file, 100, 200_000) == NOISE[100:200_000]
    assert block.read_span(file, 65_530, 10)[:10] == NOISE[65_530:65_540]


def test_a_copy_from_beyond_is_refused_and_not_guessed(file: int) -> None:
    """A block of a writer that does not begin anew: 64 KB of literals, then a copy of their first 40 bytes."""
    literal = b"\xf4\xff\xff" + NOISE[: 1 << 16]
    copy = b"\x9f" + (1 << 16).to_bytes(4, "little")
    data = b"\xa8\x80\x04" + literal + copy
    os.pwrite(file, data, 0)
    raw = pa.decompress(data, (1 << 16) + 40, "snappy", asbytes=True)
    block = snappy_block(file, 0, len(data), len(raw))
    assert block.read(file, 0, 1 << 16) == raw[: 1 << 16]
    assert block.read(file, 0, len(raw)) == raw
    with pytest.raises(UnknownEncodingError, match="of its own"):
        block.read(file, 1 << 16, len(raw))


def test_sizes_that_do_not_agree_are_refused(file: int) -> None:
    size = stored(file, NOISE)
    for stored_size, raw_size in ((size - 1, len(NOISE)), (size, len(NOISE) - 1), (size + 1, len(NOISE))):
        with pytest.raises(UnknownEncodingError):
            snappy_block(file, 7, stored_size, raw_size)


def test_what_lies_outside_is_refused(file: int) -> None:
    block = plain_block(0, 10)
    for start, stop in ((-1, 5), (5, 11), (6, 5)):
        with pytest.raises(UnknownEncodingError):
            block.read(file, start, stop)
    with pytest.raises(UnknownEncodingError):
        block.read_span(file, 8, 4)
    with pytest.raises(UnknownEncodingError, match="10 bytes early"):
        read_exactly(file, 0, 10)
