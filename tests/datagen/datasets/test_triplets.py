import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen.datasets import Dataset
from cologen.datagen.datasets.files.index import Index
from cologen.datagen.datasets.files.parquet_rows import ParquetRows
from cologen.datagen.datasets.triplets import open_triplets
from cologen.datagen.pair_records import Pair
from cologen.datagen.records import Reason

Put = Callable[..., bytes]
LINE = {"source": "a.jpg", "target": "./b//b.jpg", "instruction": "make it red"}


@pytest.fixture
def root(tmp_path: Path, put_picture: Put) -> Path:
    put_picture(tmp_path / "mine/a.jpg")
    put_picture(tmp_path / "mine/b/b.jpg", (80, 60))
    return tmp_path / "mine"


def lines(root: Path, *found: object) -> Dataset[Pair]:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in found]
    (root / "train.jsonl").write_text("\n".join(texts))
    return open_triplets(root)


def table(root: Path, *rows: dict[str, Any]) -> Dataset[Pair]:
    pq.write_table(pa.Table.from_pylist(list(rows)), root / "train.parquet")
    return open_triplets(root)


def rejections(pairs: Dataset[Pair]) -> list[tuple[str, Reason]]:
    return [(each.sample_id, each.reason) for i in range(len(pairs)) for each in pairs.read(i).rejections]


def test_lines_become_pairs(root: Path) -> None:
    pairs = lines(root, LINE, {**LINE, "instruction": ["one", " ", "two"], "edit_type": "color"})
    assert isinstance(pairs.rows, Index) and isinstance(pairs, Dataset)
    first, second = (pairs.read(i).item for i in range(2))
    assert first and second
    assert (first.source_uri, first.target_uri, first.pair_id) == ("a.jpg", "b/b.jpg", "train/000000001")
    assert (first.width, first.height, first.source_size, first.edit_type) == (80, 60, (64, 48), None)
    assert (second.instructions, second.edit_type) == (("one", "two"), "color")


def test_every_bad_line_is_counted_and_takes_no_other_with_it(root: Path) -> None:
    pairs = lines(
        root,
        LINE,
        '{"source": "a.jpg", "target": "b/b.jpg", "instruction": "extra comma",}',
        "",
        "[1]",
        {**LINE, "source": "gone.jpg"},
        {**LINE, "target": "../outside.jpg"},
        {**LINE, "source": "/etc/passwd"},
        {**LINE, "instruction": " "},
        {**LINE, "instruction": "NaN"},
        {"source": "a.jpg", "instruction": "words"},
        {**LINE, "target": "train.jsonl"},
        LINE,
    )
    assert rejections(pairs) == [
        ("triplets/train/000000002", Reason.MALFORMED_JSON),
        ("triplets/train/000000004", Reason.MALFORMED_RECORD),
        ("triplets/train/000000005", Reason.MISSING_IMAGE),
        ("triplets/train/000000006", Reason.UNSAFE_PATH),
        ("triplets/train/000000007", Reason.UNSAFE_PATH),
        ("triplets/train/000000008", Reason.EMPTY_INSTRUCTION),
        ("triplets/train/000000009", Reason.EMPTY_INSTRUCTION),
        ("triplets/train/000000010", Reason.MALFORMED_RECORD),
        ("triplets/train/000000011", Reason.NOT_AN_IMAGE),
    ]
    assert sum(pairs.read(i).item is not None for i in range(len(pairs))) == 2


def test_a_source_may_be_a_list_of_pictures(root: Path) -> None:
    pairs = lines(
        root,
        {**LINE, "source": ["a.jpg", "./b//b.jpg", "a.jpg"]},
        {**LINE, "source": ["a.jpg"]},
        {**LINE, "source": []},
        {**LINE, "source": ["a.jpg", "gone.jpg"]},
        {**LINE, "source": ["a.jpg", 7]},
    )
    several, one = (pairs.read(i).item for i in range(2))
    assert several and (several.source_uri, several.more_source_uris) == ("a.jpg", ("b/b.jpg", "a.jpg"))
    assert one and (one.source_uri, one.more_source_uris) == ("a.jpg", ())
    assert [reason for _, reason in rejections(pairs)] == [
        Reason.MALFORMED_RECORD,
        Reason.MISSING_IMAGE,
        Reason.MALFORMED_RECORD,
    ]


def test_tables_hold_paths_bytes_or_structs(root: Path) -> None:
    data = {name: (root / name).read_bytes() for name in ("a.jpg", "b/b.jpg")}
    forms: list[tuple[Any, Any]] = [
        ("a.jpg", "b/b.jpg"),
        (data["a.jpg"], data["b/b.jpg"]),
        ({"bytes": data["a.jpg"], "path": None}, {"bytes": data["b/b.jpg"], "path": None}),
        ("a.jpg", data["b/b.jpg"]),
    ]
    for source, target in forms:
        pairs = table(root, {"source": source, "target": target, "instruction": "make it red"})
        pair = pairs.read(0).item
        assert isinstance(pairs.rows, ParquetRows) and pair is not None
        assert (pair.width, pair.height, pair.source_size, pair.instruction) == (80, 60, (64, 48), "make it red")
        assert pair.source_uri == ("a.jpg" if source == "a.jpg" else "train.parquet#row=0&column=source")


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_paths_may_be_of_any_type_of_strings(kind: pa.DataType, root: Path) -> None:
    columns = {"source": ["a.jpg"], "target": ["b/b.jpg"], "instruction": ["make it red"]}
    found = {name: pa.array(values).cast(kind) for name, values in columns.items()}
    pq.write_table(pa.table(found), root / "train.parquet")
    pair = open_triplets(root).read(0).item
    assert pair is not None and (pair.source_uri, pair.target_uri) == ("a.jpg", "b/b.jpg")


def test_every_bad_row_of_a_table_is_counted(root: Path) -> None:
    good = {"source": "a.jpg", "target": "b/b.jpg", "instruction": ["one"], "edit_type": "color"}
    pairs = table(root, good, {**good, "instruction": []}, {**good, "source": None}, {**good, "edit_type": None})
    assert [reason for _, reason in rejections(pairs)] == [Reason.EMPTY_INSTRUCTION, Reason.MALFORMED_RECORD]
    kinds = [pair.edit_type for pair in (pairs.read(i).item for i in (0, 3)) if pair]
    assert kinds == ["color", None]


def test_a_damaged_table_is_one_rejection(root: Path) -> None:
    (root / "train.parquet").write_bytes(b"PAR1 and no more")
    assert rejections(open_triplets(root)) == [("triplets/train/000000", Reason.TRUNCATED_IMAGE)]


def test_what_is_missing_is_named(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file train-\*\.parquet in .*, and no file train\.jsonl in"):
        open_triplets(root)
    with pytest.raises(FileNotFoundError, match="not a folder"):
        open_triplets(root / "none")
    with pytest.raises(ValueError, match="no split 'test'"):
        open_triplets(root, "test")
    with pytest.raises(ValueError, match="no column instruction"):
        table(root, {"source": "a.jpg", "target": "b/b.jpg"})
