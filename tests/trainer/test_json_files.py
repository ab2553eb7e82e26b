"""No flipped bit of a sealed file is taken for what was written."""

from pathlib import Path

import pytest

from cologen.trainer.json_files import read_sealed, write_sealed

CONTENT = {"step": 150, "task": "grounding", "plan": {"64x64": {"seed": 0, "weight": 0.5}}, "whole": True, "none": None}


def test_what_was_written_is_read(tmp_path: Path):
    write_sealed(tmp_path / "a.json", CONTENT)
    assert read_sealed(tmp_path / "a.json") == CONTENT


def test_every_flipped_bit_is_found_or_changes_no_value(tmp_path: Path):
    path = tmp_path / "a.json"
    write_sealed(path, CONTENT)
    whole, found = path.read_bytes(), 0
    for place in range(len(whole)):
        for bit in range(8):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            try:
                assert read_sealed(path) == CONTENT
            except ValueError as error:
                found += 1
                assert f"{path} is damaged" in str(error)
    assert found > 0.95 * 8 * len(whole)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"step": 1}', b"[" * 100_000, b"\xff", b"null"])
def test_what_was_never_sealed_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.json is damaged"):
        read_sealed(tmp_path / "a.json")
