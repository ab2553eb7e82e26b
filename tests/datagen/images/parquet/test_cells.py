"""A cell read alone is the cell that Arrow reads, or is refused."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen.images.parquet.cells import NONE_LOCATED, Cells, locate_cells
from cologen.datagen.images.parquet.chunks import Group, read_groups
from cologen.datagen.images.parquet.pages import UnknownEncodingError
from cologen.datagen.randomness import generator

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
LAYOUTS = [
    {},
    {"compression": "none"},
    {"use_dictionary": False},
    {"use_dictionary": False, "compression": "none"},
    {"use_dictionary": False, "data_page_size": 3000, "write_batch_size": 7},
    {"dictionary_pagesize_limit": 20_000, "write_batch_size": 5},
    {"dictionary_pagesize_limit": 20_000, "write_batch_size": 5, "compression": "none"},
]


@contextmanager
def opened(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDONLY)
    yield file
    os.close(file)


def random_cells(seed: int, count: int = 150) -> list[bytes | None]:
    """Nulls, repeated and empty ones, some that compress, and some longer than what snappy holds together."""
    draw = generator(seed, "cells")
    sizes = draw.choice([0, 1, 40, 3000, 65_532, 65_536, 150_000], count, p=[0.1, 0.1, 0.3, 0.35, 0.05, 0.05, 0.05])
    cells: list[bytes | None] = [
        bytes(int(size)) if draw.random() < 0.2 else draw.integers(0, 256, size, dtype=np.uint8).tobytes()
        for size in sizes
    ]
    for row in draw.choice(count, count // 5):
        cells[row] = None if draw.random() < 0.5 else cells[int(draw.integers(count))]
    return cells


def write(path: Path, cells: list[bytes | None], **options: object) -> Path:
    structs = [None if row % 9 == 4 else {"bytes": cell, "path": "a"} for row, cell in enumerate(cells)]
    columns = {
        "image": pa.array(structs, IMAGE),
        "plain": pa.array(cells, pa.binary()),
        "full": pa.array([cell or b"" for cell in cells], pa.binary()),
    }
    fields = [pa.field(name, array.type, nullable=name != "full") for name, array in columns.items()]
    pq.write_table(pa.table(columns, pa.schema(fields)), path, row_group_size=64, **options)
    return path


def groups_of(path: Path) -> tuple[Group, ...]:
    with opened(path) as file:
        return read_groups(file)


def located(path: Path, leaf: str) -> list[Cells]:
    with opened(path) as file:
        footer = pq.read_metadata(path)
        return [locate_cells(file, footer.schema, group, leaf) for group in read_groups(file)]


def expected(path: Path, leaf: str) -> list[bytes | None]:
    values = pq.read_table(path).column(leaf.partition(".")[0]).to_pylist()
    return [value["bytes"] if isinstance(value, dict) else value for value in values]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("options", LAYOUTS)
@pytest.mark.parametrize("leaf", ["image.bytes", "plain", "full"])
def test_every_cell_is_what_arrow_reads(tmp_path: Path, options: dict[str, object], version: str, leaf: str) -> None:
    path = write(tmp_path / "a.parquet", random_cells(len(options)), data_page_version=version, **options)
    groups = located(path, leaf)
    assert [len(cells.spans) for cells in groups] == [64, 64, 22]
    with opened(path) as file:
        found = [cells.read(file, row) for cells in groups for row in range(len(cells.spans))]
    assert found == expected(path, leaf)


def test_a_cell_costs_what_holds_it_and_not_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells: list[bytes | None] = [generator(0, i).integers(0, 256, 100_000, dtype=np.uint8).tobytes() for i in range(20)]
    path = write(tmp_path / "a.parquet", cells)
    (found,), read = located(path, "plain"), []
    pread = os.pread
    with opened(path) as file:
        monkeypatch.setattr(os, "pread", lambda file, size, place: read.append(size) or pread(file, size, place))
        assert found.read(file, 13) == cells[13]
    assert sum(read) < 100_000 + 2 * (1 << 16) + 100


@pytest.mark.parametrize("options", [{"compression": "zstd"}, {"column_encoding": {"plain": "DELTA_BYTE_ARRAY"}}])
def test_other_layouts_are_refused(tmp_path: Path, options: dict[str, object]) -> None:
    encoded = "column_encoding" in options
    path = write(tmp_path / "a.parquet", random_cells(1), use_dictionary=not encoded, **options)
    with pytest.raises(UnknownEncodingError):
        located(path, "plain")


def test_lists_numbers_and_unknown_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"lists": pa.array([[b"a"], []], pa.list_(pa.binary())), "number": [1, 2]}), path)
    for leaf in ("lists.list.element", "number", "none"):
        with pytest.raises(UnknownEncodingError):
            located(path, leaf)


def test_what_compresses_well_is_left_to_arrow(tmp_path: Path) -> None:
    words = generator(0, "words").integers(0, 256, (64, 5), dtype=np.uint8)
    text = words[generator(1, "words").integers(0, 64, 400_000)].tobytes()
    path = write(tmp_path / "a.parquet", [text])
    with pytest.raises(UnknownEncodingError, match="steps in"):
        located(path, "plain")


def test_none_located_refuses_every_row() -> None:
    with pytest.raises(UnknownEncodingError):
        NONE_LOCATED.read(0, 0)


@pytest.mark.parametrize("options", LAYOUTS[:5])
def test_damage_is_refused_or_stays_inside_a_cell(tmp_path: Path, options: dict[str, object]) -> None:
    """Nothing else comes of it: no other error, no endless loop, no memory beyond the file's order."""
    path = write(tmp_path / "a.parquet", random_cells(3, 30), **options)
    whole, draw = path.read_bytes(), generator(0, "damage")
    footer, groups = pq.read_metadata(path), groups_of(path)
    chunk = footer.row_group(0).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    places = [*range(start, start + 40), *draw.integers(start, start + chunk.total_compressed_size, 40).tolist()]
    for place in places:
        data = bytearray(whole)
        data[place] = int(draw.integers(256))
        path.write_bytes(data)
        with opened(path) as file:
            try:
                cells = locate_cells(file, footer.schema, groups[0], "image.bytes")
                found = [cells.read(file, row) for row in range(30)]
            except UnknownEncodingError:
                continue
        assert len(found) == 30


def test_a_shorter_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", random_cells(4))
    footer, groups = pq.read_metadata(path), groups_of(path)
    path.write_bytes(path.read_bytes()[:5000])
    with opened(path) as file, pytest.raises(UnknownEncodingError):
        locate_cells(file, footer.schema, groups[0], "image.bytes")
