from pathlib import Path

import pytest

from cologen.datagen.sources.json_lines import open_lines


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


def test_a_list_without_lines_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("\n")
    with pytest.raises(FileNotFoundError):
        open_lines(tmp_path, {"one": tmp_path / "a.json"})
