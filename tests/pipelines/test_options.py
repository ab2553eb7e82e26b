"""The synthetic dataset has as many samples as are asked for, and a limit beyond what is there is said to be one."""

import os
from pathlib import Path

import pytest

import pipelines.options as options_module
from pipelines.options import BuildOptions


@pytest.fixture(autouse=True)
def small_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Synthetic datasets are drawn into a folder of the test, and have 8 scenes where nothing else is asked for."""
    monkeypatch.setattr(options_module, "DATA", tmp_path / "data")
    monkeypatch.setattr(options_module, "SCENES", 8)
    monkeypatch.setitem(os.environ, "COLOGEN_CACHE", str(tmp_path / "cache"))


def _options(**more: object) -> BuildOptions:
    return BuildOptions(scene_size=32, **more)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(("split", "limit"), [("train", 23), ("val", 3), ("train", 5)])
def test_the_world_is_as_large_as_the_limit_takes(split: str, limit: int):
    reader = _options(limit=limit, split=split).reader("refcoco")
    assert reader.recipe.num_images == limit


@pytest.mark.slow
@pytest.mark.parametrize("source", ["subjects200k", "omniedit", "magicbrush", "triplets"])
def test_so_are_the_worlds_of_pairs(source: str):
    assert _options(limit=15).pair_reader(source).recipe.num_images == 15


@pytest.mark.parametrize("source", ["multigen", "cocostuff", "ade20k"])
def test_so_are_the_worlds_of_conditions(source: str):
    assert _options(limit=12).condition_reader(source).recipe.num_images == 12


def test_without_a_limit_or_below_the_default_the_world_is_the_default(tmp_path: Path):
    _options().reader("refcoco")
    _options(limit=3).reader("refcoco")
    assert [path.name for path in (tmp_path / "data/world").iterdir()] == ["refcoco-8x32-seed0"]


def test_a_limit_beyond_what_is_there_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert _options(limit=20, scenes=4).reader("refcoco").recipe.num_images == 3
    said = " ".join(capsys.readouterr().out.split())
    assert "fewer than --limit 20: --scenes 4 gives no more in its split 'train'" in said
    root = tmp_path / "data/world/refcoco-4x32-seed0"
    assert BuildOptions(root=root, limit=20).reader("refcoco").recipe.num_images == 3
    said = " ".join(capsys.readouterr().out.split())
    assert "fewer than --limit 20: the dataset has no more in its split 'train'" in said


@pytest.mark.parametrize(
    ("name", "value"), [("limit", 0), ("tries", 0), ("scenes", 0), ("max_failed_parts", -1), ("part_timeout", 0.0)]
)
def test_what_cannot_be_is_wrong_usage(name: str, value: float):
    with pytest.raises(ValueError, match=f"--{name.replace('_', '-')} must be"):
        BuildOptions(**{name: value})  # type: ignore[arg-type]


def test_the_options_decide_what_becomes_of_failing_parts():
    failures = BuildOptions(tries=5, max_failed_parts=0, part_timeout=60.0).cluster.failures
    assert (failures.tries, failures.max_failed_parts, failures.part_timeout) == (5, 0, 60.0)
