import multiprocessing
import os
from functools import partial
from pathlib import Path

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
