"""A run that branches off goes on from the checkpoint it was given, with what was finished before, as it would have."""

import json
import shutil
from pathlib import Path

import pytest

from cologen.trainer import cli
from cologen.trainer.branching import PARENT, branch
from cologen.trainer.changes import CHANGES
from cologen.trainer.metrics import lines
from cologen.trainer.run_folder import finished_stages
from tests.trainer.small_runs import adapter_bytes, arguments, recipe

TWO_STAGES = ("stages.control=none", "stages.customized=none", "stages.editing=none")


def run(data: Path, out: Path, *more: str) -> int:
    return cli.main([*arguments(data, out, *TWO_STAGES), *more])


@pytest.fixture(scope="module")
def parent(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two finished stages of six steps, with checkpoints at four and six of the second."""
    folder = tmp_path_factory.mktemp("parent") / "run"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("COLOGEN_CACHE", str(built.parent / "cache"))
        assert run(built, folder) == 0
    return folder


@pytest.mark.parametrize("place", ["1-grounding-00000004", "grounding:4", "1:4", "4"])
def test_with_the_same_recipe_it_ends_in_the_same_bits(parent: Path, data: Path, tmp_path: Path, place: str) -> None:
    found = branch(f"{parent}@{place}", recipe(*TWO_STAGES), tmp_path)
    assert (found.checkpoint.progress.step, found.finished, found.found) == (4, {0}, ())
    if place == "grounding:4":  # once is enough
        assert run(data, tmp_path / "run", "--from", f"{parent}@{place}") == 0
        assert adapter_bytes(tmp_path / "run") == adapter_bytes(parent)
        assert finished_stages(tmp_path / "run") == {0, 1}
        assert json.loads((tmp_path / "run" / PARENT).read_text())["checkpoint"] == "1-grounding-00000004"
        logs = [lines(folder / "metrics.jsonl") for folder in (tmp_path / "run", parent)]
        assert [(each["stage"], each["step"]) for each in logs[0]] == [
            (each["stage"], each["step"]) for each in logs[1]
        ]


def test_what_decides_the_numbers_may_be_another_and_is_written_down(
    parent: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ["--set", "seed=7", "--set", "clip=0.5", "--set", "stages.grounding.global_batch=8"]
    before = adapter_bytes(parent)
    assert run(data, tmp_path / "run", "--from", f"{parent}@4", *other) == 0
    assert "Changed: seed: 0 became 7" in capsys.readouterr().out
    assert len((tmp_path / "run" / CHANGES).read_text().splitlines()) == 3
    after = adapter_bytes(tmp_path / "run")
    assert after["expert-0.safetensors"] == before["expert-0.safetensors"]
    assert after["expert-1.safetensors"] != before["expert-1.safetensors"]
    assert adapter_bytes(parent) == before
    assert run(data, tmp_path / "run", "--from", f"{parent}@4", *other, "--resume") == 0
    assert "Nothing is left to train" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("place", "overrides", "words"),
    [
        ("@5", [], "has no checkpoint 5; it has 0-inpaint-00000006, 1-grounding-00000004, 1-grounding-00000006"),
        ("@control:4", [], "has no checkpoint control:4"),
        ("/nowhere", [], "no checkpoint to branch off from"),
        ("@4", ["rank=8"], r"weights of another recipe:\n  rank: 16 became 8"),
        ("@4", ["stages.inpaint.rho=0.5"], "stages.inpaint.rho: 1.0 became 0.5"),
        ("@6", ["stages.grounding.warmup_steps=0", "stages.grounding.iterations=5"], "ends after 5 steps"),
    ],
)
def test_where_it_cannot_branch_off_is_said(
    parent: Path, tmp_path: Path, place: str, overrides: list[str], words: str
) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        branch(f"{parent}{place}", recipe(*overrides), tmp_path)


def test_a_damaged_checkpoint_is_not_replaced_by_another(parent: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(parent, tmp_path / "a@run")
    (copy / "checkpoints" / "1-grounding-00000004" / "training.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match=r"training\.safetensors is not what was written"):
        branch(f"{copy}@4", recipe(), tmp_path)
    assert branch(str(copy), recipe(), tmp_path).checkpoint.progress.step == 6
    with pytest.raises(ValueError, match="give another --out"):
        branch(str(copy), recipe(), copy)
