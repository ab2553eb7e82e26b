"""Headers and levels of pages, and nothing but a refusal for other bytes."""

import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cologen.datagen.images.parquet.pages import DATA, PLAIN, UnknownEncodingError, parse_levels, parse_page

# Kind 0, 10 bytes raw, 12 stored, and of version 1: 3 values, plain, levels in runs.
HEADER = bytes([0x15, 0, 0x15, 20, 0x15, 24, 0x2C, 0x15, 6, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0])


def test_a_header_by_hand() -> None:
    page = parse_page(HEADER + b"body")
    assert (page.kind, page.encoding, page.compressed, page.levels_size) == (DATA, PLAIN, True, 0)
    assert (page.raw_size, page.stored_size, page.num_values, page.start) == (10, 12, 3, len(HEADER))


def test_the_levels_of_the_docstring() -> None:
    assert parse_levels(b"\x08\x01\x03\x05", 1, 12).tolist() == [1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0]


@given(values=st.lists(st.integers(0, 2**11 - 1), max_size=60), width=st.integers(11, 20))
def test_packed_numbers_come_back(values: list[int], width: int) -> None:
    padded = values + [0] * (-len(values) % 8)
    bits = (np.array(padded, np.int64)[:, None] >> np.arange(width)) & 1
    data = bytes([len(padded) // 8 * 2 + 1]) + np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes()
    assert parse_levels(data, width, len(values)).tolist() == values


def test_numbers_without_bits_are_zero() -> None:
    assert parse_levels(b"", 0, 3).tolist() == [0, 0, 0]


@given(data=st.binary(max_size=40), width=st.integers(1, 32), count=st.integers(0, 1000))
def test_any_bytes_are_levels_or_refused(data: bytes, width: int, count: int) -> None:
    with suppress(UnknownEncodingError):
        assert len(parse_levels(data, width, count)) == count


@given(data=st.binary(max_size=60))
def test_any_bytes_are_a_header_or_refused(data: bytes) -> None:
    with suppress(UnknownEncodingError):
        parse_page(data)


@pytest.mark.parametrize("length", range(len(HEADER)))
def test_a_header_that_breaks_off_is_refused(length: int) -> None:
    with pytest.raises(UnknownEncodingError):
        parse_page(HEADER[:length])


def test_structs_within_structs_are_refused() -> None:
    with pytest.raises(UnknownEncodingError, match="within each other"):
        parse_page(b"\x1c" * 16_000)


def test_a_run_takes_no_more_memory_than_is_asked_for() -> None:
    data = bytes([0xFF, 0xFF, 0xFF, 0x7F]) + bytes(8_000_000)
    tracemalloc.start()
    assert parse_levels(data, 1, 5).tolist() == [0] * 5
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
