"""The command line of control data: what it would build, and every wrong wish in words."""

import json
from pathlib import Path

import pytest

from cologen.datagen.world.formats import World, ensure
from pipelines import build_control
from pipelines.build_control import main


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world") / "ade20k"
    ensure("ade20k", root, World(num_scenes=4, width=64, height=64, seed=1))
    return root


def run(root: Path, out: Path, *more: str) -> int:
    return main(["--src", "ade20k", "--root", str(root), "--out", str(out), *more])


def test_a_dry_run_says_the_recipe_and_writes_nothing(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, tmp_path / "out", "--dry-run", "--seed", "3", "--canny-low", "10", "20") == 0
    assert not (tmp_path / "out").exists()
    said = capsys.readouterr().out
    recipe = json.loads(said[said.index("{") :])
    assert recipe["policy"]["mix"] == {"canny": 0.25, "depth": 0, "hed": 0.25, "lineart": 0.25, "segmentation": 0.25}
    assert recipe["policy"]["thresholds"]["low"] == [10, 20]
    assert (recipe["seed"], recipe["maps"]["hed"]) == (3, None)


def test_without_a_root_the_world_is_drawn_in_the_captioned_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--src", "cocostuff", "--scenes", "3", "--scene-size", "64", "--dry-run"]) == 0
    assert (tmp_path / "data/world/captioned_cocostuff-3x64-seed0/data").is_dir()
    assert "synthetic dataset" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mix", "0.5", "0.5", "0", "0", "0"], "depth, of which this source has no maps: give --dpt"),
        (["--precompute", "--hed-weights", "/nowhere/a.pth"], "/nowhere/a.pth"),
        (["--dpt", "nowhere"], "no file of weights at nowhere"),
    ],
)
def test_what_cannot_be_had_is_named(
    options: list[str], said: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, tmp_path / "out", *options) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mix", "0.5", "0", "0", "0", "0"], "five shares that sum to 1"),
        (["--canny-low", "50", "200"], "ascending ranges"),
        (["--actors", "0"], "--actors must be at least 1"),
        (["--src", "lvis"], "multigen_depth"),
    ],
)
def test_wrong_usage_leaves_with_two(
    options: list[str], said: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run(root, tmp_path / "out", *options)
    assert caught.value.code == 2
    assert said in "".join(capsys.readouterr()).replace("│", "").replace("\n", " ")


def test_the_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_control.main(["--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in ("--mix", "--precompute", "--dpt", "--hed-weights", "--gpus-per-actor"))
