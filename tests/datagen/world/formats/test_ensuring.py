from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cologen.datagen.world.formats import WRITERS, World, ensure, ensuring, is_complete
from cologen.datagen.world.formats.ensuring import WORLD_VERSION

pytestmark = pytest.mark.slow

SMALL = World(num_scenes=10, width=48, height=32, seed=4)
Hashes = Callable[[Path], dict[str, str]]


@pytest.mark.parametrize("layout", WRITERS)
def test_any_number_of_workers_writes_the_same_bytes(layout: str, tmp_path: Path, hashes: Hashes) -> None:
    for workers in (1, 2):
        assert ensure(layout, tmp_path / str(workers), SMALL, workers=workers)
    assert hashes(tmp_path / "1") == hashes(tmp_path / "2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


def test_a_complete_world_is_used_again(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "world"
    assert not is_complete("cocostuff", root, SMALL)
    assert ensure("cocostuff", root, SMALL)
    written = (root / "world.json").stat()
    assert is_complete("cocostuff", root, SMALL)
    assert not ensure("cocostuff", root, SMALL)
    assert (root / "world.json").stat() == written
    assert json.loads((root / "world.json").read_text()) == {
        "layout": "cocostuff",
        **asdict(SMALL),
        "version": WORLD_VERSION,
    }


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    assert ensure("cocostuff", tmp_path, SMALL)
    assert is_complete("cocostuff", tmp_path, SMALL)


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
    ensure("cocostuff", tmp_path, SMALL)
    with pytest.raises(ValueError, match=words):
        ensure(layout, tmp_path, replace(SMALL, **change))


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="not empty"):
        ensure("cocostuff", tmp_path, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_interrupted_writer_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(_num_scenes: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure("cocostuff", tmp_path / "world", SMALL, progress=interrupt)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("complete", [False, True])
def test_what_a_killed_writer_left_is_removed_by_the_next(complete: bool, tmp_path: Path) -> None:
    root = tmp_path / "world[1]"
    if complete:
        ensure("cocostuff", root, SMALL)
    (tmp_path / ".world[1].0123abcd.building/train2017").mkdir(parents=True)
    others = [".world[1].0123abcd.other", ".elsewhere.0123abcd.building", ".world[1].mine.building"]
    for name in others:
        (tmp_path / name).mkdir()
    assert ensure("cocostuff", root, SMALL) is not complete
    assert {path.name for path in tmp_path.iterdir()} == {root.name, *others}


def test_a_world_that_is_being_written_is_not_swept_away(tmp_path: Path, hashes: Hashes) -> None:
    """Of two writers of one world the first to be whole wins, and each keeps its folder until then."""
    root, inner = tmp_path / "world", []

    def write_again(_num_scenes: int) -> None:
        if not inner:
            inner.append(None)
            inner.append(ensure("cocostuff", root, SMALL))

    assert not ensure("cocostuff", root, SMALL, progress=write_again)
    assert inner[1:] == [True]
    assert [path.name for path in tmp_path.iterdir()] == ["world"]
    ensure("cocostuff", tmp_path / "again", SMALL)
    assert hashes(root) == hashes(tmp_path / "again")


def test_a_folder_swept_before_it_was_locked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept = []
    flock = ensuring.fcntl.flock

    def sweeping(descriptor: int, how: int) -> None:
        if not swept:
            swept.extend(tmp_path.iterdir())
            swept[0].rmdir()
        flock(descriptor, how)

    monkeypatch.setattr(ensuring.fcntl, "flock", sweeping)
    assert ensure("cocostuff", tmp_path / "world", SMALL)
    assert len(swept) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def test_an_unknown_layout_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="journeydb, journeydb_archives, cocostuff"):
        ensure("imagenet", tmp_path, SMALL)
