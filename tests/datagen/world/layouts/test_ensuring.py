from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cologen.datagen.world.layouts import WRITERS, ensure, is_complete

SMALL = {"num_scenes": 10, "width": 48, "height": 32, "seed": 4}
Hashes = Callable[[Path], dict[str, str]]


@pytest.mark.parametrize("layout", WRITERS)
def test_any_number_of_workers_writes_the_same_bytes(layout: str, tmp_path: Path, hashes: Hashes) -> None:
    for workers in (1, 2):
        assert ensure(layout, tmp_path / str(workers), **SMALL, workers=workers)
    assert hashes(tmp_path / "1") == hashes(tmp_path / "2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


def test_a_complete_world_is_used_again(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "world"
    assert not is_complete("cocostuff", root, **SMALL)
    assert ensure("cocostuff", root, **SMALL)
    written = (root / "world.json").stat()
    assert is_complete("cocostuff", root, **SMALL)
    assert not ensure("cocostuff", root, **SMALL)
    assert (root / "world.json").stat() == written
    assert json.loads((root / "world.json").read_text()) == {"layout": "cocostuff", **SMALL, "version": 1}


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    assert ensure("cocostuff", tmp_path, **SMALL)
    assert is_complete("cocostuff", tmp_path, **SMALL)


@pytest.mark.parametrize(
    ("layout", "change", "words"),
    [
        ("cocostuff", {"seed": 9}, "seed 4, not 9"),
        ("cocostuff", {"width": 64, "height": 64}, "width 48, not 64; height 32, not 64"),
        ("ade20k", {}, "layout cocostuff, not ade20k"),
    ],
)
def test_another_world_is_refused_by_name_of_what_differs(
    layout: str, change: dict[str, int], words: str, tmp_path: Path
) -> None:
    ensure("cocostuff", tmp_path, **SMALL)
    with pytest.raises(ValueError, match=words):
        ensure(layout, tmp_path, **{**SMALL, **change})


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="not empty"):
        ensure("cocostuff", tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_interrupted_writer_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(_num_scenes: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure("cocostuff", tmp_path / "world", **SMALL, progress=interrupt)
    assert not list(tmp_path.iterdir())


def test_an_unknown_layout_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="journeydb, journeydb_archives, cocostuff"):
        ensure("imagenet", tmp_path, **SMALL)
