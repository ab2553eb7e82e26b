import json
import mmap
from pathlib import Path

import pytest

from cologen.datagen.datasets.files import json_scan


def scan(path: Path, text: bytes) -> list[tuple[str, bytes]]:
    path.write_bytes(text)
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return [(e.section, data[e.start : e.end]) for e in json_scan.elements(data, path)]


DOCUMENT = {
    "info": {"images": [0]},
    "images": [{"id": i, "name": 'é漢\\"]' * (i % 3), "n": [[0.5, i]] * i} for i in range(40)],
    "empty": [],
    "count": 12345,
    "annotations": [123456, None, True, "x", [], -1.5e10],
    "licenses": {},
}


@pytest.mark.parametrize("window", [1, 7, 64, 1000, 1 << 20])
@pytest.mark.parametrize("options", [{}, {"indent": 2}, {"ensure_ascii": False}, {"separators": (",", ":")}])
def test_elements_are_the_bytes_json_would_parse(
    options: dict[str, object], window: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_scan, "_WINDOW_BYTES", window)
    found = scan(tmp_path / "a.json", json.dumps(DOCUMENT, **options).encode())
    expected = [(name, item) for name in ("images", "annotations") for item in DOCUMENT[name]]
    assert [(name, json.loads(data)) for name, data in found] == expected


def test_an_empty_object_has_no_elements(tmp_path: Path) -> None:
    assert scan(tmp_path / "a.json", b" { } ") == []


def test_bytes_that_are_no_utf8_stay_as_they_are(tmp_path: Path) -> None:
    assert scan(tmp_path / "a.json", b'{"a": ["\xff\xfe", "\xc3\xa9"]}') == [("a", b'"\xff\xfe"'), ("a", b'"\xc3\xa9"')]


@pytest.mark.parametrize(
    "text",
    [
        b"[]",
        b"x",
        b'{"a": [1, 2',
        b'{"a": [1 2]}',
        b'{"a": [}]}',
        b'{"a" []}',
        b'{"a": 1',
        b"{",
        b"{}x",
        b'{"a": [1]} {}',
    ],
)
def test_malformed_files_are_named_with_the_byte(text: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.json: malformed JSON at byte \d+"):
        scan(tmp_path / "a.json", text)


def test_an_array_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.json: 'a' stands twice"):
        scan(tmp_path / "a.json", b'{"a": [1], "b": [], "a": [2]}')


def test_a_byte_order_mark_is_passed_over_and_utf16_is_named(tmp_path: Path) -> None:
    assert scan(tmp_path / "a.json", b'\xef\xbb\xbf{"a": ["\xc3\xa9"]}') == [("a", b'"\xc3\xa9"')]
    with pytest.raises(ValueError, match=r"a\.json: UTF-16 text, expected UTF-8"):
        scan(tmp_path / "a.json", '{"a": []}'.encode("utf-16"))


def test_a_file_may_be_one_array(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b' [{"a": 1}, 2]\n')
    data = json_scan.mapped(path)
    assert [data[e.start : e.end] for e in json_scan.array_elements(data, path, "turns")] == [b'{"a": 1}', b"2"]
    for text, message in ((b"{}", "expected an array of turns"), (b"[1] 2", "malformed"), (b"[1", "malformed")):
        path.write_bytes(text)
        with pytest.raises(ValueError, match=message):
            list(json_scan.array_elements(json_scan.mapped(path), path, "turns"))
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="the file is empty"):
        json_scan.mapped(path)


def test_a_value_without_an_end_is_not_sought_through_all_of_a_huge_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_scan, "_WINDOW_BYTES", 100)
    monkeypatch.setattr(json_scan, "_MOST_VALUE_BYTES", 1000)
    with pytest.raises(ValueError, match="malformed JSON at byte 7"):
        scan(tmp_path / "a.json", b'{"a": ["' + b"x" * 10**5 + b'"]}')


def test_endless_nesting_is_malformed_too(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="malformed JSON"):
        scan(tmp_path / "a.json", b'{"a": [' + b"[" * 200_000)
