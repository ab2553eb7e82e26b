"""What the command line means, and how a run's folder is entered; what training does is tried in ``end_to_end``."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cologen.datagen.interrupts import STOPPED
from cologen.trainer import cli, launch
from cologen.trainer.cli import main, parsed
from cologen.trainer.launch import loading
from cologen.trainer.loop.checkpoint import latest_checkpoint
from cologen.trainer.loop.stopping import INTERRUPTED_WORDS
from cologen.trainer.run_folder import begin, held
from tests.processes import interrupted_twice
from tests.trainer.small_runs import arguments, recipe


def test_without_arguments_it_is_the_world():
    options = parsed([])
    assert (options.recipe, options.data.folder, options.run.out, options.stage) == ("world", Path("data"), None, None)
    assert (loading(options).num_workers, loading(options).online.num_actors) == (2, 0)


def test_options_say_who_makes_the_batches_and_where_pictures_lie():
    makers = ["--workers", "8", "--control-workers", "2", "--control-gpus", "0.5"]
    options = parsed([*makers, "--root", "a=/b", "--root", "c=/d=e"])
    online = loading(options).online
    assert (loading(options).num_workers, online.num_actors, online.gpus_per_actor) == (8, 2, 0.5)
    assert options.data.roots == {"a": Path("/b"), "c": Path("/d=e")}
    assert parsed(["--set", "a=1", "--set", "b=2"]).set == ("a=1", "b=2")


def test_the_help_is_grouped_and_has_every_option_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as ended:
        parsed(["--help"])
    assert ended.value.code == 0
    groups, lines = dict[str, list[str]](), capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    for line in lines:
        if found := re.fullmatch(r"\W*((?:[\w-]+ )?options)\W*", line):
            groups[found[1]] = []
        elif found := re.match("[│ ] --([a-z-]+) ", line):
            groups[list(groups)[-1]].append(found[1])
    assert groups == {
        "options": ["recipe", "set", "stage", "base"],
        "run options": ["out", "resume", "fresh", "from", "wandb"],
        "data options": ["data", "root", "workers"],
        "machine options": ["device", "strategy", "wait-minutes"],
        "online-control options": ["control-workers", "control-gpus", "address", "hed-weights", "lineart-weights"],
        "forecast options": ["dry-run", "gpu", "gpus", "utilization"],
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--resume", "--fresh"], "starts over"),
        (["--root", "/data"], "--root takes MANIFEST=FOLDER"),
        (["--root", "=/data"], "--root takes MANIFEST=FOLDER"),
        (["--root", "inpaint-cocostuff="], "--root takes MANIFEST=FOLDER"),
        (["--gpus", "0"], "--gpus must be at least 1"),
        (["--gpu", "tpu"], "no GPU is called 'tpu': expected one of rtx4090"),
        (["--utilization", "0"], "--utilization must be above 0 and at most 1, got 0.0"),
        (["--utilization", "1.01"], "--utilization must be above 0 and at most 1"),
        (["--utilization", "nan"], "--utilization must be above 0 and at most 1"),
        (["--workers", "-1"], "--workers must be at least 0, got -1"),
        (["--control-workers", "-1"], "--control-workers must be at least 0"),
        (["--control-workers", "1", "--control-gpus", "-1"], "--control-gpus must be at least 0"),
        (["--control-workers", "1", "--control-gpus", "1.5"], "less to share one, or a whole number"),
        (["--control-gpus", "1"], "of --control-workers, of which there are none"),
        (["--address", "auto"], "of --control-workers, of which there are none"),
        (["--wait-minutes", "0"], "--wait-minutes must be above 0"),
        (["--wait-minutes", "1e300"], "at most 527040"),
        (["--device", "tpu"], "--device must be auto, cpu or cuda, got 'tpu'"),
        (["--strategy", "none"], "ddp"),
    ],
)
def test_wrong_options_end_with_2_and_say_why(capsys: pytest.CaptureFixture[str], given: list[str], words: str):
    with pytest.raises(SystemExit) as ended:
        parsed(given)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert words in " ".join((said.out + said.err).replace("│", " ").split())


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ([], 0),  # the synthetic dataset is generated
        (["--stage", "inpaint"], 0),
        (["--stage", "4"], 1),  # stands on stages that were not trained
        (["--stage", "none"], 1),
        (["--gpus", "3"], 1),  # 32 samples are not shared out among 3
        (["--base", "nowhere.safetensors"], 1),
        (["--recipe", "cologen-flux", "--gpus", "8"], 1),
        (["--recipe", "world-co-training", "--set", "quantize_base=int8"], 1 - bool(find_spec("torchao"))),
    ],
)
def test_a_dry_run_ends_with_1_if_the_run_could_not_begin(tmp_path: Path, given: list[str], code: int):
    assert main(["--dry-run", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"), *given]) == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_dry_run_sees_what_the_folder_and_the_base_forbid(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, spoiled = tmp_path / "run", tmp_path / "base.safetensors"
    begin(out, recipe(), resume=False, fresh=False)
    (tmp_path / "file").touch()
    spoiled.write_bytes(bytes(100))
    plain = ["--dry-run", *arguments(data, out)]
    for given, code, words in (
        (plain, 1, "holds a run: --resume goes on with it"),
        ([*plain, "--resume"], 0, "Ready"),
        ([*plain, "--fresh"], 0, "Ready"),
        ([*plain, "--resume", "--set", "rank=3"], 1, "rank: 16 became 3"),
        (["--dry-run", *arguments(data, tmp_path / "file")], 1, "is a file: choose another --out"),
        (["--dry-run", *arguments(data, tmp_path / "file" / "run")], 1, "is a file: choose another --out"),
        (["--dry-run", *arguments(data, tmp_path / "new"), "--base", str(spoiled)], 1, "base.safetensors is damaged"),
    ):
        assert cli.main(given) == code, given
        said = capsys.readouterr()
        assert words in said.out + said.err


SHORT = ("stages.inpaint.iterations=2", "stages.grounding.iterations=2")


def fails(given: list[str], capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    """The one line that a command fails with."""
    capsys.readouterr()
    assert cli.main(given) == code
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "Traceback" not in error
    return error


@pytest.mark.slow
def test_a_first_command_that_fails_leaves_its_folder_open(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(data, tmp_path / "run", *SHORT, "seed=3")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    assert "no weights at nowhere" in fails([*given, "--base", "nowhere"], capsys)
    with monkeypatch.context() as patched:
        patched.setattr(launch, "ensure_manifests", interrupted)
        assert fails(given, capsys, STOPPED).startswith("Interrupted. ")
    assert "give their root" in fails([*given, "--root", "inpaint-cocostuff=/nowhere"], capsys)
    assert not (tmp_path / "run" / "recipe.json").exists()
    assert cli.main([*arguments(data, tmp_path / "run", *SHORT), "--stage", "0"]) == 0


def test_options_are_read_without_what_takes_long_to_import() -> None:
    code = "import sys; from cologen.trainer import cli; cli.parsed([]); print({'torch', 'diffusers'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"set()\n"


SLOW = """
import sys, time
from cologen.trainer import cli
def train(_):
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        print("cleaning", flush=True)
        time.sleep(60)
cli.train = train
sys.exit(cli.main([]))
"""


@pytest.mark.slow
def test_a_second_ctrl_c_does_not_wait_for_the_cleanup() -> None:
    assert interrupted_twice([sys.executable, "-c", SLOW]) == (STOPPED, f"{INTERRUPTED_WORDS}\n")


@pytest.mark.slow
def test_stage_by_stage_nothing_needs_to_be_resumed(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments(data, tmp_path / "run", *SHORT)
    assert cli.main([*given, "--stage", "0"]) == 0
    assert "--resume goes on with it" in fails([*given, "--stage", "0"], capsys)
    assert cli.main([*given, "--stage", "1", "--set", "log_every=1"]) == 0
    assert "Changed: log_every: 5 became 1" in capsys.readouterr().out
    assert "seed: 0 became 1" in "".join(_error(capsys, [*given, "--stage", "2", "--set", "seed=1"]))


def _error(capsys: pytest.CaptureFixture[str], given: list[str]) -> str:
    assert cli.main(given) == 1
    return capsys.readouterr().err


def test_a_second_run_in_the_same_folder_is_told_who_is_there(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with held(tmp_path):
        for more in ([], ["--resume"], ["--fresh"]):
            error = fails([*arguments(data, tmp_path), *more], capsys)
            assert f"another process is training in {tmp_path}" in error
            assert f'"pid": {os.getpid()}' in error


def test_a_root_of_no_manifest_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = fails(["--out", str(tmp_path), "--root", "inpaint-coco=/data", "--dry-run"], capsys)
    assert "--root names inpaint-coco; the recipe's manifests are inpaint-cocostuff, grounding-refcoco" in error


@contextlib.contextmanager
def small_disk(place: Path, kilobytes: int) -> Generator[Path, None, None]:
    """A real file system of so many bytes."""
    place.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
def test_on_a_full_disk_a_run_ends_with_one_line_and_whole_checkpoints(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*arguments(data, tmp_path / "whole", *SHORT, "checkpoint_every=1"), "--stage", "0"]) == 0
    sizes = [sum(path.stat().st_size for path in folder.rglob("*")) for folder in (tmp_path / "whole").glob("*/0-*")]
    one = max(sizes) // 1024
    # Nothing fits, a part of the first checkpoint, and one checkpoint but not two beside each other.
    for number, room in enumerate((4, one // 2, one + one // 2)):
        with small_disk(tmp_path / f"disk{number}", room) as disk:
            error = fails([*arguments(data, disk / "run", *SHORT, "checkpoint_every=1"), "--stage", "0"], capsys)
            assert "No space left" in error
            found = latest_checkpoint(disk / "run")
            assert (found is not None) == (number == 2)
            assert not list(disk.rglob(".*.????????"))


@pytest.mark.slow
@pytest.mark.parametrize("file", ["recipe.json", "metrics.jsonl", "report.html", "adapter"])
def test_whatever_cannot_be_written_is_one_line(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    """The disk is full from the moment on at which this file is opened."""
    opened = Path.open
    with small_disk(tmp_path / "disk", 20_000) as disk:

        def open_when_full(path: Path, *options: Any, **named: Any) -> Any:
            if file in path.relative_to(tmp_path).as_posix() and "checkpoints" not in path.parts:
                with contextlib.suppress(OSError), opened(disk / "ballast", "ab", buffering=0) as ballast:
                    while True:
                        ballast.write(bytes(4096))
            return opened(path, *options, **named)

        monkeypatch.setattr(
            Path,
            "open",
            lambda path, *options, **named: (open_when_full if path.is_relative_to(disk) else opened)(
                path, *options, **named
            ),
        )
        error = fails([*arguments(data, disk / "run", *SHORT, "checkpoint_every=1"), "--stage", "0"], capsys)
        assert "No space left" in error
