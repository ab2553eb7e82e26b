import os
from pathlib import Path

import pytest

from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.index import Index, Listing, open_index, open_lines
from cologen.datagen.records import RejectedError


def listing(keys: list[str]) -> Listing:
    return Listing(rows=((key, f"{place}".encode()) for place, key in enumerate(keys)), constants={"names": {"1": "é"}})


def opened(root: Path, keys: list[str], *options: str) -> Index:
    return open_index(root, [], options, lambda: listing(keys))


def test_rows_come_in_key_order_over_many_batches(tmp_path: Path) -> None:
    keys = [f"{(7919 * i) % 5000:05d}" for i in range(5000)]
    index = opened(tmp_path, keys)
    assert [index.key(i) for i in range(len(index))] == sorted(keys)
    assert all(keys[int(index.payload(i))] == index.key(i) for i in range(len(index)))
    assert index.constants == {"names": {"1": "é"}}


def test_equal_keys_touch_and_the_first_listed_comes_first(tmp_path: Path) -> None:
    index = opened(tmp_path, ["b", "a", "b", "a", "c"])
    assert [index.payload(i) for i in range(5)] == [b"1", b"3", b"0", b"2", b"4"]
    assert [index.repeats(i) for i in range(5)] == [False, True, False, True, False]


def test_it_is_built_once_for_the_same_inputs(tmp_path: Path) -> None:
    first = opened(tmp_path, ["a"])
    assert len(opened(tmp_path, ["never", "listed"])) == 1
    assert len(opened(tmp_path, ["a", "b"], "other option")) == 2
    assert opened(tmp_path, []).fingerprint == first.fingerprint


def test_a_rewritten_file_is_listed_anew_although_its_size_stays(tmp_path: Path) -> None:
    file = tmp_path / "annotations"
    file.write_text("1")
    open_index(tmp_path, [file], [], lambda: listing(["a"]))
    file.unlink()
    file.write_text("2")
    assert open_index(tmp_path, [file], [], lambda: listing(["b"])).key(0) == "b"


def test_the_fingerprint_depends_on_names_sizes_rows_and_options_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prints: list[str] = []
    for place, text in (("here", "123"), ("there", "123"), ("here", "1234")):
        monkeypatch.setenv("COLOGEN_CACHE", str(tmp_path / f"cache of {place}"))
        root = tmp_path / place
        root.mkdir(exist_ok=True)
        (root / "annotations").write_text(text)
        prints.append(open_index(root, [root / "annotations"], ["train"], lambda: listing(["a"])).fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_the_fingerprint_follows_the_content_of_the_files(tmp_path: Path) -> None:
    file = tmp_path / "annotations"

    def fingerprint(text: str, changed_ns: int = 10**18) -> str:
        file.write_text(text)
        os.utime(file, ns=(changed_ns, changed_ns))
        return open_index(tmp_path, [file], [], lambda: listing(["a"])).fingerprint

    first = fingerprint("A dog.")
    assert fingerprint("A cat.") != first
    assert fingerprint("A dog.", 2 * 10**18) == first


def test_an_index_that_is_there_is_opened_without_reading_its_files(tmp_path: Path) -> None:
    file = tmp_path / "annotations"
    file.write_text("1")
    read: list[Path] = []

    def digest(path: Path) -> str:
        read.append(path)
        return "the same"

    for _ in range(3):
        open_index(tmp_path, [file], [], lambda: listing(["a"]), digest)
    assert read == [file]


def test_nothing_to_list_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no pictures are listed"):
        opened(tmp_path, [])


@pytest.mark.parametrize("place", [-1, 2])
def test_there_is_no_row_beyond_the_ends(place: int, tmp_path: Path) -> None:
    with pytest.raises(IndexError):
        opened(tmp_path, ["a", "b"]).key(place)


def test_lines_of_several_lists_are_named_by_list_and_number(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"a": 1}\n\n \nbroken\xff\n')
    (tmp_path / "b.json").write_bytes(b'{"b": 1}\r\n{"b": 2}')
    rows = open_lines(tmp_path, {"one": tmp_path / "b.json", "two": tmp_path / "a.json"})
    assert [(rows.key(i), rows.payload(i)) for i in range(len(rows))] == [
        ("one/000000001", b'{"b": 1}\r\n'),
        ("one/000000002", b'{"b": 2}'),
        ("two/000000001", b'{"a": 1}\n'),
        ("two/000000004", b"broken\xff\n"),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_line_and_utf16_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\xef\xbb\xbf\r\n')
    rows = open_lines(tmp_path, {"one": path})
    assert rows.payload(0) == b'{"a": 1}\r\n'
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        path.write_text('{"a": 1}\n', encoding=encoding)
        with pytest.raises(ValueError, match=rf"a\.json: {encoding.upper()[:6]} text, expected UTF-8"):
            open_lines(tmp_path, {"one": path})


def test_a_line_without_end_is_cut_and_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": "' + b"x" * (3 << 20) + b'"}\n{"b": 1}\n' + b"y" * (2 << 20))
    rows = open_lines(tmp_path, {"one": path})
    assert [(rows.key(i), len(rows.payload(i))) for i in range(3)] == [
        ("one/000000001", 1 << 20), ("one/000000002", 9), ("one/000000003", 1 << 20),
    ]  # fmt: skip
    with pytest.raises(RejectedError, match="more than 1048576 bytes in a line"):
        fields.parse_record(rows.payload(0))


def test_a_list_without_lines_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("\n")
    with pytest.raises(FileNotFoundError):
        open_lines(tmp_path, {"one": tmp_path / "a.json"})
