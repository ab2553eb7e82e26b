import errno
import multiprocessing
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cologen.datagen import cache


def build(log: Path, folder: Path) -> None:
    (folder / "made").write_text("whole")
    with log.open("a") as file:
        file.write("built\n")


def built_in(root: Path, _: int) -> str:
    os.environ["COLOGEN_CACHE"] = str(root / "cache")
    return str(cache.built_once("kind", "key", partial(build, root / "log")))


def test_many_processes_build_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        folders = pool.map(partial(built_in, tmp_path), range(4))
    assert len(set(folders)) == 1
    assert (Path(folders[0]) / "made").read_text() == "whole"
    assert (tmp_path / "log").read_text() == "built\n"


def test_what_a_killed_or_failed_build_left_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOGEN_CACHE", str(tmp_path))

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        cache.built_once("kind", "key", fail)
    folder = cache.built_once("kind", "key", partial(build, tmp_path / "log"))
    assert [path.name for path in folder.iterdir()] == ["made"]


def test_keys_and_kinds_are_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOGEN_CACHE", str(tmp_path))
    make = partial(build, tmp_path / "log")
    assert len({cache.built_once(kind, key, make) for kind in "ab" for key in "cd"}) == 4


def test_an_unwritable_folder_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("COLOGEN_CACHE", str(tmp_path / "file"))
    with pytest.raises(ValueError, match=r"cannot be written.*set COLOGEN_CACHE"):
        cache.built_once("kind", "key", partial(build, tmp_path / "log"))


def test_the_folder_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLOGEN_CACHE", raising=False)
    assert cache.folder() == Path.home() / ".cache" / "cologen"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that opens one cached folder of one file, and says whether it was built for that."""
    monkeypatch.setenv("COLOGEN_CACHE", str(tmp_path / "cache"))

    def build(folder: Path) -> None:
        built.append(True)
        (folder / "made").write_bytes(bytes(range(256)) * 40)

    built: list[bool] = []

    def opened() -> tuple[Path, bool]:
        built.clear()
        return cache.built_once("kind", "key", build) / "made", bool(built)

    return opened


def flip(path: Path, bit: int) -> None:
    """One bit, and no trace of it in size and time."""
    state, data = path.stat(), bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


@pytest.mark.parametrize("bit", [0, 7, 4_321, 81_919])
def test_one_flipped_bit_is_noticed_and_what_is_kept_is_built_anew(kept: Any, bit: int) -> None:
    path, built = kept()
    whole = path.read_bytes()
    assert built
    assert kept() == (path, False)
    flip(path, bit)
    assert kept() == (path, True)
    assert path.read_bytes() == whole
    assert kept() == (path, False)


def test_a_cut_a_missing_and_a_foreign_file_are_noticed(kept: Any) -> None:
    path, _ = kept()
    for damage in (
        lambda: path.write_bytes(path.read_bytes()[:-1]),
        lambda: path.write_bytes(b""),
        path.unlink,
        lambda: path.with_name("other").touch(),
        lambda: shutil.rmtree(path.parent),
        lambda: (shutil.rmtree(path.parent), path.parent.touch()),
    ):
        damage()
        assert kept() == (path, True)
        assert kept() == (path, False)


def test_damaged_or_missing_sums_are_noticed(kept: Any) -> None:
    path, _ = kept()
    sums = path.parent.with_suffix(".sums")
    for bit in range(0, 8 * len(sums.read_bytes()), 5):
        flip(sums, bit)
        assert kept() == (path, True)
    for content in (b"", b"[]", b"{}", b"null"):
        sums.write_bytes(content)
        assert kept() == (path, True)
    sums.unlink()
    assert kept() == (path, True)


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOGEN_CACHE", str(tmp_path))

    def fill_the_disk(folder: Path) -> None:
        (folder / "half").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        cache.built_once("kind", "key", fill_the_disk)
    assert [path.suffix for path in (tmp_path / "kind").iterdir()] == [".lock"]
