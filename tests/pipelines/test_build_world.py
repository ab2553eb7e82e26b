from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cologen.datagen.world.formats import World, is_complete
from pipelines.build_world import FORMATS, main

SIZE = ["--width", "64", "--height", "64"]


def _build(out: Path, *more: str) -> int:
    return main(["--out", str(out), "--scenes", "4", *SIZE, *more])


@pytest.mark.slow
def test_every_layout_is_written_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _build(tmp_path, "--seed", "3", "--workers", "2") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FORMATS)
    for layout in tmp_path.iterdir():
        assert is_complete(layout.name, layout, World(num_scenes=4, width=64, height=64, seed=3))
    summary = capsys.readouterr().out
    assert "4 scenes" in summary
    assert summary.count("│ written ") == len(FORMATS)


def test_chosen_layouts_and_archives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _build(tmp_path, "--layouts", "journeydb", "--archives", "--workers", "1") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["journeydb"]
    assert len([*tmp_path.rglob("*.tgz")]) == 4
    assert json.loads((tmp_path / "journeydb/world.json").read_text())["layout"] == "journeydb_archives"
    assert _build(tmp_path, "--layouts", "journeydb", "--archives") == 0
    assert "was there" in capsys.readouterr().out


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _build(tmp_path / "new", "--dry-run") == 0
    assert capsys.readouterr().out.count("would be") == len(FORMATS)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_taken_is_one_message_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _build(tmp_path, "--layouts", "cocostuff", "--workers", "1") == 0
    assert _build(tmp_path, "--layouts", "cocostuff", "--seed", "1") == 1
    errors = capsys.readouterr().err
    assert "seed 0, not 1" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    "wrong", [["--width", "8"], ["--workers", "0"], ["--layouts", "imagenet"], ["--colour", "red"]]
)
def test_wrong_usage_is_exit_code_2(wrong: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(["--out", str(tmp_path / "out"), "--scenes", "2", *wrong])
    except SystemExit as exit_:
        code = exit_.code
    assert code == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_help_says_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "Another seed" in words and "256" in words


def _begun(out: Path) -> subprocess.Popen[str]:
    """The command as a process group of its own, drawing with two processes, once their first pictures are there."""
    command = [sys.executable, "-m", "pipelines.build_world", "--out", str(out), "--scenes", "100000", "--workers", "2"]
    process = subprocess.Popen(
        [*command, "--layouts", "refcoco", *SIZE],
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not [*out.glob("**/*.jpg")] and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None
    return process


@pytest.mark.slow
def test_ctrl_c_is_one_line_and_leaves_no_half_world(tmp_path: Path) -> None:
    process = _begun(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "Stopped. What is committed is kept: run the same command again to continue.\n"
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
def test_a_killed_command_takes_its_processes_along_and_the_next_one_what_it_left(tmp_path: Path) -> None:
    process = _begun(tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    process.kill()
    process.communicate(timeout=60)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".building")
    assert main(["--out", str(tmp_path), "--scenes", "4", "--workers", "1", "--layouts", "refcoco", *SIZE]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["refcoco"]
