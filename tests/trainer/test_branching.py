"""A run that branches off goes on from the checkpoint it was given, with what was finished before, as it would have."""

import json
import shutil
from pathlib import Path

import pytest

from cologen.datagen.interrupts import STOPPED
from cologen.trainer import cli, launch
from cologen.trainer.branching import PARENT, branch
from cologen.trainer.changes import CHANGES
from cologen.trainer.json_files import read_lines
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


@pytest.mark.slow
@pytest.mark.parametrize("place", ["1-grounding-00000004", "grounding:4", "1:4", "4"])
def test_with_the_same_recipe_it_ends_in_the_same_bits(parent: Path, data: Path, tmp_path: Path, place: str) -> None:
    found = branch(f"{parent}@{place}", recipe(*TWO_STAGES), tmp_path)
    assert (found.checkpoint.progress.step, found.finished, found.found) == (4, {0}, ())
    if place == "grounding:4":  # once is enough
        assert run(data, tmp_path / "run", "--from", f"{parent}@{place}") == 0
        assert adapter_bytes(tmp_path / "run") == adapter_bytes(parent)
        assert finished_stages(tmp_path / "run") == {0, 1}
        assert json.loads((tmp_path / "run" / PARENT).read_text())["checkpoint"] == "1-grounding-00000004"
        logs = [read_lines(folder / "metrics.jsonl") for folder in (tmp_path / "run", parent)]
        assert [(each["stage"], each["step"]) for each in logs[0]] == [
            (each["stage"], each["step"]) for each in logs[1]
        ]


@pytest.mark.slow
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
        (
            "@6",
            ["stages.grounding.warmup_steps=0", "stages.grounding.iterations=5"],
            r"stages.grounding.iterations is 5, and .*has 6 steps",
        ),
    ],
)
def test_where_it_cannot_branch_off_is_said(
    parent: Path, tmp_path: Path, place: str, overrides: list[str], words: str
) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        branch(f"{parent}{place}", recipe(*overrides), tmp_path)


@pytest.mark.parametrize(
    "setting",
    ["rank=8", "expert_scale=1.0", "routing=token", "source_timestep=shared", "optimizer.eight_bit=true"],
)
def test_a_setting_that_no_branch_can_change_is_one_message_that_names_it(
    parent: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str
) -> None:
    out = tmp_path / "run"
    assert run(data, out, "--from", f"{parent}@grounding:4", "--set", "clip=0.5", "--set", setting) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("1-grounding-00000004 holds weights of another recipe:")
    assert lines[1].startswith(f"  {setting.partition('=')[0]}: ")
    assert lines[2:4] == ["What may change, and did:", "  clip: 1.0 became 0.5"]
    assert "Put that back, or begin a run of its own, without --from" in lines[4]
    assert not (out / "recipe.json").exists()


def test_a_branch_is_planned_from_its_stage_on(
    parent: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run(data, out, "--from", f"{parent}@grounding:4", "--dry-run") == 0
    planned = capsys.readouterr().out
    assert "1 grounding" in planned and "0 inpaint" not in planned
    assert run(data, out, "--from", f"{parent}@grounding:4", "--dry-run", "--set", "rank=8") == 1
    assert "holds weights of another recipe" in capsys.readouterr().err
    assert not out.exists()


def test_a_branch_begins_in_the_stage_of_its_checkpoint(
    parent: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, tmp_path / "run", "--from", f"{parent}@grounding:4", "--stage", "inpaint") == 1
    assert "--from goes on in stage 1 (grounding)" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("at", ["", "@4", "@1:4", "@grounding:4", "@1-grounding-00000004"])
def test_a_branch_goes_on_when_its_parent_is_pruned_or_gone(
    parent: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    at: str,
) -> None:
    copy, out = tmp_path / "a@run", tmp_path / "run"
    shutil.copytree(parent, copy)
    shutil.rmtree(copy / "checkpoints/1-grounding-00000006")

    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(launch, "train_stage", interrupted)
        assert run(data, out, "--from", f"{copy}{at}") == STOPPED
    shutil.rmtree(copy / "checkpoints/1-grounding-00000004")
    assert run(data, out, "--from", f"{parent}{at}", "--resume") == 1
    assert "did not branch off from" in capsys.readouterr().err
    assert run(data, out, "--from", f"{copy}@3", "--resume") == 1
    if at in ("", "@4"):  # once of each kind is enough
        assert run(data, out, "--from", f"{copy}{at}", "--resume") == 0
        assert adapter_bytes(out) == adapter_bytes(parent)
    shutil.rmtree(copy)
    assert run(data, out, "--from", f"{copy}{at}", "--resume") == 0


def test_a_damaged_checkpoint_is_not_replaced_by_another(parent: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(parent, tmp_path / "a@run")
    (copy / "checkpoints" / "1-grounding-00000004" / "training.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match=r"training\.safetensors is not what was written"):
        branch(f"{copy}@4", recipe(), tmp_path)
    assert branch(str(copy), recipe(), tmp_path).checkpoint.progress.step == 6
    with pytest.raises(ValueError, match="give another --out"):
        branch(str(copy), recipe(), copy)
