from pathlib import Path

import pytest

from cologen.datagen.datasets.files import fields
from cologen.datagen.datasets.files.json_lines import open_lines
from cologen.datagen.records import RejectedError


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
