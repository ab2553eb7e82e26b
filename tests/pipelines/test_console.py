"""A command ends in one message and a code that says how; a log shows what is going on."""

import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel

import pipelines.console as console_module
from cologen.datagen.engine.build import PartDone
from cologen.datagen.engine.dispatch import AtWork, Status
from cologen.datagen.manifest import Manifest, PartReport
from cologen.reports.printable import console
from pipelines.console import STOPPED, print_summary, progress_over, progress_over_scenes, run, working
from tests.processes import interrupted_twice

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Options:
    """None."""


@pytest.mark.parametrize("error", [ValueError, OSError, RuntimeError])
def test_errors_are_one_message_and_code_1(error: type[Exception], capsys: pytest.CaptureFixture[str]):
    def fail(_: Options) -> int:
        raise error("the disk is full")

    assert run(Options, fail, []) == 1
    assert capsys.readouterr().err == "Failed: the disk is full\n"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_code_130_and_leaves_the_handlers_as_they_were(
    sent: signal.Signals, capsys: pytest.CaptureFixture[str]
):
    def stop(_: Options) -> int:
        os.kill(os.getpid(), sent)
        time.sleep(5)
        return 0

    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert run(Options, stop, []) == STOPPED == 130
        assert capsys.readouterr().err.startswith("Stopped.")
    finally:
        signal.signal(signal.SIGINT, before[signal.SIGINT])
    assert run(Options, lambda _: 0, []) == 0
    assert {each: signal.getsignal(each) for each in before} == before


SLOW = """
import dataclasses, sys, time
from pipelines.console import run
@dataclasses.dataclass
class Options:
    "None."
def command(_):
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        print("cleaning", flush=True)
        time.sleep(60)
sys.exit(run(Options, command, []))
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_wait_for_the_cleanup(sent: signal.Signals, tmp_path: Path):
    (tmp_path / "slow.py").write_text(SLOW)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    stopped = "Stopped. What is committed is kept: run the same command again to continue.\n"
    assert interrupted_twice([sys.executable, str(tmp_path / "slow.py")], environment, sent) == (STOPPED, stopped)


@pytest.mark.parametrize("command", ["build_world", "build_inpaint"])
@pytest.mark.parametrize("module", ["dataclasses", "tyro"])
def test_ctrl_c_while_a_command_imports_is_one_line(command: str, module: str, tmp_path: Path):
    """The signal comes as the command's first import, or one of its last, begins."""
    (tmp_path / "sitecustomize.py").write_text(f"""
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background, it is ignored
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r} and "pipelines" in sys.modules:
            os.kill(os.getpid(), signal.SIGINT)
for name in [name for name in sys.modules if name == {module!r}]:
    del sys.modules[name]
sys.meta_path.insert(0, Interrupting())
""")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{REPOSITORY}"}
    ended = subprocess.run(
        [sys.executable, "-m", f"pipelines.{command}", "--help"], env=environment, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (STOPPED, "Interrupted before the command began.\n")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is printed, into no terminal and with a heartbeat every few milliseconds."""
    written = io.StringIO()
    # A console of its own: to set back the shared one's file would tie it to this test's captured output for good.
    shown = console()
    shown.file = written
    monkeypatch.setattr(console_module, "CONSOLE", shown)
    monkeypatch.setattr(console_module, "HEARTBEAT", 0.02)
    return written


def _wait_for(words: str, log: io.StringIO) -> None:
    deadline = time.monotonic() + 10
    while words not in " ".join(log.getvalue().split()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert words in " ".join(log.getvalue().split())


def test_a_log_shows_a_build_before_its_first_part_and_the_part_that_hangs(log: io.StringIO):
    report = PartReport(
        index=0, file="part-00000.parquet", rows=7, sha256="0", rejected_file="rejected-00000.parquet",
        rejected_sha256="0", rejected={"too_small": 2}, mix={},
    )  # fmt: skip
    with progress_over(20) as progress:
        _wait_for("0 of 20 parts · 0 samples · 0 rejected · starting Ray", log)
        progress.on_status(Status(at_work=(), num_waiting=20))
        _wait_for("waiting for a free worker for 20 parts", log)
        progress.on_part(PartDone(report, reused=False))
        progress.on_status(
            Status(at_work=(AtWork(part=3, pass_=0, seconds=725.0, where="node1 process 12"),), num_waiting=18)
        )
        _wait_for(
            "1 of 20 parts · 7 samples · 2 rejected · 1 at work, longest part 3 for 12:05 on node1 process 12", log
        )


class Recipe(BaseModel):
    """None."""


@pytest.mark.parametrize("width", [None, 60])
def test_a_summary_ends_with_paths_that_can_be_copied(width: int | None, log: io.StringIO, tmp_path: Path):
    """In a log, and on a terminal that is narrower than they are."""
    if width:
        console_module.CONSOLE.width = width
    out = tmp_path / "a-long-name-of-a-folder " / ("x" * 100)
    manifest = Manifest.empty("inpaint", "cocostuff", Recipe(), num_parts=1, root=tmp_path, mix={"object": 1.0})
    print_summary(manifest, out, 2.0)
    lines = log.getvalue().splitlines()
    assert "samples/s" not in log.getvalue()  # none was built
    assert lines[0] == "inpaint from cocostuff"
    assert lines[-2:] == [f"manifest: {out}/manifest.json", f"report: {out}/report.html"]
    assert "…" not in log.getvalue()


def test_a_log_shows_the_world_being_drawn_and_steps_without_a_count(log: io.StringIO):
    with progress_over_scenes(5) as advance:
        advance(3)
        _wait_for("generating the synthetic dataset: 3 of 5 scenes", log)
    with working("starting Ray"):
        _wait_for("starting Ray (", log)
