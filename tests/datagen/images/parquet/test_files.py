import multiprocessing
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen.images import addresses, decoding
from cologen.datagen.images.parquet import files
from cologen.datagen.records import Reason, RejectedError
from tests.datagen import hostile_parquets

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
        files.read_member(str(path), row, column)
    return error.value


@pytest.mark.parametrize("options", [{}, {"use_dictionary": False}, {"compression": "zstd"}, {"compression": "none"}])
def test_every_cell_comes_back_from_a_struct_and_from_plain_bytes(options: dict[str, object], tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", **options)
    for row in np.random.default_rng(0).permutation(len(CELLS)).tolist():
        if row != 5:
            assert files.read_member(str(path), row, "plain") == CELLS[row]
            if row != 6:
                assert files.read_member(str(path), row, "image") == CELLS[row]


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
    assert files.read_member(str(file), 0, "image") == CELLS[0]


def test_what_is_no_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.read_member(str(tmp_path / "none.parquet"), 0, "image")
    os.mkfifo(tmp_path / "pipe.parquet")
    assert refusal(tmp_path / "pipe.parquet", 0).reason == Reason.MISSING_IMAGE


def test_cells_are_read_alone(file: Path, decoded: list[object]) -> None:
    for row in range(7, 200):
        assert files.read_member(str(file), row, "image") == CELLS[row]
    assert decoded == []


def test_what_cannot_be_read_alone_is_decoded_once_and_only_the_asked_column(
    whole: Path, decoded: list[object]
) -> None:
    for row in np.random.default_rng(1).permutation(range(7, 200)).tolist():
        assert files.read_member(str(whole), row, "image") == CELLS[row]
    assert sorted(decoded) == [(group, ("image.bytes",)) for group in range(3)]


def test_what_is_kept_is_bounded_but_never_fewer_than_it_must_be() -> None:
    made: list[int] = []

    def make(value: int) -> int:
        made.append(value)
        return value

    recent = files._Recent[int](100, 3, lambda value: value)

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
    assert files.read_member(str(file), 1, "image") == CELLS[1]
    write(file, [b"other"] * 200)
    assert files.read_member(str(file), 1, "image") == b"other"


def test_threads_share_what_one_of_them_found(file: Path, whole: Path, decoded: list[object]) -> None:
    rows = np.random.default_rng(2).permutation(range(7, 200)).tolist()
    with ThreadPoolExecutor(4) as pool:
        for path in (file, whole):
            found = list(pool.map(lambda row, path=path: files.read_member(str(path), row, "image"), rows))
            assert found == [CELLS[row] for row in rows]
    assert len(decoded) == 3


def test_a_spawned_process_opens_its_own(file: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(files.read_member, (str(file), 9, "image")) == CELLS[9]


def test_groups_of_small_columns_come_in_batches(file: Path) -> None:
    batches = files.read_group(str(file), 0, ["text"])
    assert [batch.num_rows for batch in batches] == [files.ROWS_PER_BATCH, 70 - files.ROWS_PER_BATCH]
    assert batches[1].to_pylist() == [{"text": "words"}] * 6


def test_addresses_come_back() -> None:
    uri = files.cell_uri("data/a.parquet", 17, "image")
    assert uri == "data/a.parquet#row=17&column=image"
    assert files.parse_cell(uri.partition("#")[2]) == (17, "image")


@pytest.mark.parametrize(
    "member", ["", "17", "row=&column=a", "row=-1&column=a", "row=1&column=", "row=1", "row=²&column=a"]
)
def test_other_addresses_are_refused(member: str) -> None:
    with pytest.raises(RejectedError, match="expected row=…&column=…"):
        files.parse_cell(member)


def test_images_reads_and_probes_cells(tmp_path: Path) -> None:
    import cv2

    picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    write(tmp_path / "data.parquet", [cv2.imencode(".png", picture)[1].tobytes(), b"", None])
    assert decoding.probe(tmp_path, "./data.parquet#row=0&column=image") == (48, 32)
    decoded = decoding.decode(decoding.read_bytes(tmp_path, "data.parquet#row=0&column=image"))
    np.testing.assert_array_equal(decoded, picture[..., ::-1])
    for uri, reason in {
        "data.parquet#row=1&column=image": Reason.EMPTY_FILE,
        "data.parquet#row=2&column=image": Reason.MISSING_IMAGE,
        "none.parquet#row=0&column=image": Reason.MISSING_IMAGE,
        "../data.parquet#row=0&column=image": Reason.UNSAFE_PATH,
        "/data.parquet#row=0&column=image": Reason.UNSAFE_PATH,
        "data.parquet#member": Reason.UNSAFE_PATH,
    }.items():
        for read in (decoding.read_bytes, decoding.probe):
            with pytest.raises(RejectedError) as error:
                read(tmp_path, uri)
            assert error.value.reason == reason


CLAIMS = {"raw_size": [1 << 28, 1 << 31, 1 << 44, 1 << 62], "num_values": [0, 1, 1 << 20, 1 << 44, 1 << 62]}


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip"])
@pytest.mark.parametrize(("name", "claim"), [(name, claim) for name, claims in CLAIMS.items() for claim in claims])
@pytest.mark.parametrize("dictionary", [False, True])
def test_a_page_that_claims_too_much_is_rejected_before_memory_is_made(
    name: str, claim: int, compression: str, dictionary: bool, tmp_path: Path
) -> None:
    cells = [bytes([row]) * 40 for row in range(20)]
    options = {"compression": compression, "use_dictionary": dictionary}
    path = hostile_parquets.with_header(
        hostile_parquets.write(tmp_path / "a.parquet", cells, **options), **{name: claim}
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal(path, 19).reason is Reason.TRUNCATED_IMAGE
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # KB


def test_rows_that_repeat_one_picture_are_read_alone_and_never_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """8 MB in the file, 40 GB as a column."""
    large = np.random.default_rng(0).bytes(8 << 20)
    cells = pa.DictionaryArray.from_arrays(pa.array([0] * 5000, pa.int32()), pa.array([large], pa.binary()))
    for compression in ("snappy", "none"):
        path = hostile_parquets.write(
            tmp_path / f"{compression}.parquet", cells, use_dictionary=True, compression=compression
        )
        assert files.read_member(str(path), 4999, "image") == large
    monkeypatch.setattr(files, "_MAX_DECODED_BYTES", 64 << 20)
    monkeypatch.setattr(files, "_MAX_DECODED_RATIO", 4)
    path = hostile_parquets.write(tmp_path / "zstd.parquet", cells, use_dictionary=True, compression="zstd")
    error = refusal(path, 4999)
    assert (error.reason, "until memory is full" in error.detail) == (Reason.TOO_LARGE, True)


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_a_picture_is_no_larger_than_stated(compression: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "MAX_BYTES", 1000)
    path = hostile_parquets.write(tmp_path / "a.parquet", [bytes(1001), bytes(1000)], compression=compression)
    error = refusal(path, 0)
    assert (error.reason, error.detail) == (Reason.TOO_LARGE, "image of row 0: 1,001 bytes, at most 1,000")
    assert files.read_member(str(path), 1, "image") == bytes(1000)


BYTES = [b"first picture", b"second image.", b"first picture", b"third picture"]
KINDS = {
    "binary": pa.binary(),
    "large": pa.large_binary(),
    "view": pa.binary_view(),
    "fixed": pa.binary(13),
    "dictionary": pa.dictionary(pa.int32(), pa.binary()),
    "large dictionary": pa.dictionary(pa.int64(), pa.large_binary()),
}


@pytest.mark.parametrize("compression", ["snappy", "zstd", "none"])
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_every_binary_type_are_read(kind: str, inside: bool, compression: str, tmp_path: Path) -> None:
    plain = pa.array(BYTES, pa.binary())
    cells = plain.dictionary_encode().cast(KINDS[kind]) if "dictionary" in kind else plain.cast(KINDS[kind])
    if inside:
        cells = pa.StructArray.from_arrays([cells, pa.array(["a"] * 4)], ["bytes", "path"])
    path = hostile_parquets.write(tmp_path / "a.parquet", cells, compression=compression)
    assert [files.read_member(str(path), row, "image") for row in range(4)] == BYTES


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.binary()),
        pa.list_(IMAGE),
        pa.struct([("bytes", IMAGE)]),
        pa.struct([("bytes", pa.list_(pa.uint8()))]),
        pa.struct([("path", pa.string())]),
        pa.list_(pa.list_(pa.uint8())),
        pa.string(),
        pa.int64(),
        pa.null(),
    ],
)
def test_columns_of_another_type_are_rejected_by_name(kind: pa.DataType, tmp_path: Path) -> None:
    path = hostile_parquets.write(tmp_path / "a.parquet", pa.array([None, None], kind))
    error = refusal(path, 1)
    assert error.reason is Reason.MALFORMED_RECORD
    found = str(kind).replace("item:", "element:")
    assert error.detail == f"column image holds {found}, not encoded pictures"


@pytest.mark.parametrize("name", ["a#b", "100% ä?&c=d", "s3:a", "*[a]", "x.parquet#row=1&column=y"])
def test_files_of_any_name_are_read(name: str, tmp_path: Path) -> None:
    hostile_parquets.write(tmp_path / f"{name}.parquet", [b"first", b"second"])
    uri = files.cell_uri(f"{name}.parquet", 1, "image")
    assert decoding.read_bytes(tmp_path, uri) == b"second"


def test_columns_of_a_whole_file(file: Path, tmp_path: Path) -> None:
    assert files.read_columns(str(file), ["text"]).column("text").to_pylist() == ["words"] * 200
    assert len(files.read_columns(str(write(tmp_path / "none.parquet", [])), ["text"])) == 0
