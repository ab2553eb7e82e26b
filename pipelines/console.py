"""What the command lines share: errors in one clear message, a progress bar over parts, a summary table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import tyro
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from cologen.datagen.engine.build import PartDone
from cologen.datagen.engine.dispatch import Status
from cologen.datagen.engine.jobs import Job
from cologen.datagen.heartbeat import INTERVAL, heartbeat
from cologen.datagen.interrupts import STOPPED, second_one_ends, terminated_like_ctrl_c
from cologen.datagen.manifest import MANIFEST_NAME, REPORT_NAME, Manifest, rejected_file
from cologen.reports.durations import duration
from cologen.reports.printable import console

_Options = TypeVar("_Options")
Advance = Callable[[int], None]

CONSOLE = console()
_ERRORS = console(stderr=True)


def run(options: type[_Options], command: Callable[[_Options], int], args: Sequence[str] | None = None) -> int:
    """Parse the arguments (None: the process's own), run the command, and return its exit code.

    0 done, 1 failed with one message that says what to do next, 130 stopped by Ctrl-C or SIGTERM; wrong usage leaves
    with 2. A second signal ends the process at once.
    """
    try:
        with second_one_ends(_STOPPED_WORDS), terminated_like_ctrl_c():
            return command(tyro.cli(options, args=args, config=(tyro.conf.FlagCreatePairsOff,)))
    except (ValueError, OSError, RuntimeError) as error:
        _ERRORS.print(f"Failed: {error}")
        return 1
    except KeyboardInterrupt:
        _ERRORS.print(_STOPPED_WORDS)
        return STOPPED


_STOPPED_WORDS = "Stopped. What is committed is kept: run the same command again to continue."


HEARTBEAT = INTERVAL
"""Seconds between two lines of progress in a log."""


def _heartbeat(line: Callable[[], str]) -> AbstractContextManager[None]:
    return heartbeat(line, CONSOLE.print, HEARTBEAT)


class BuildProgress:
    """A build's progress, as ``build`` reports it: parts, samples, rejections, and the parts at work."""

    def __init__(self, num_parts: int, shown: Callable[[BuildProgress], None]) -> None:
        self._num_parts, self._shown = num_parts, shown
        self._status: Status | None = None
        self.done = self.made = self.rejected = self.reused = 0

    def on_part(self, part: PartDone) -> None:
        """Count a part that is done."""
        self.done += 1
        self.made += part.report.rows
        self.reused += part.report.rows if part.reused else 0
        self.rejected += sum(part.report.rejected.values())
        self._shown(self)

    def on_status(self, status: Status) -> None:
        """Store which parts are at work."""
        self._status = status
        self._shown(self)

    @property
    def counts(self) -> str:
        """Samples made and rejected."""
        return f"{self.made:,} samples · {self.rejected:,} rejected"

    @property
    def work(self) -> str:
        """What is at work: the part that has taken longest, and where."""
        if self._status is None:
            return "starting Ray"
        if not self._status.at_work:
            return f"waiting for a free worker for {self._status.num_waiting:,} parts"
        longest = self._status.at_work[0]
        number = len(self._status.at_work)
        return f"{number} at work, longest part {longest.part} for {duration(longest.seconds)} on {longest.where}"

    def line(self) -> str:
        """All of it on one line, for a log."""
        return f"{self.done:,} of {self._num_parts:,} parts · {self.counts} · {self.work}"


@contextmanager
def progress_over(num_parts: int) -> Generator[BuildProgress, None, None]:
    """Show a build's progress: a bar on a terminal, a line every half a minute in a log."""
    if not CONSOLE.is_terminal:
        progress = BuildProgress(num_parts, lambda _: None)
        with _heartbeat(progress.line):
            yield progress
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("parts · {task.fields[counts]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[work]}"),
    )
    with Progress(*columns, console=CONSOLE) as bar:
        task = bar.add_task("building", total=num_parts, counts="", work="")

        def show(progress: BuildProgress) -> None:
            bar.update(task, completed=progress.done, counts=progress.counts, work=progress.work)

        progress = BuildProgress(num_parts, show)
        show(progress)
        yield progress


@contextmanager
def working(what: str) -> Generator[None]:
    """Show that a step without a count is under way: a spinner on a terminal, a line now and then in a log."""
    with CONSOLE.status(what) if CONSOLE.is_terminal else _heartbeat(lambda: what):
        yield


@contextmanager
def progress_over_count(total: int, what: str, unit: str) -> Generator[Advance]:
    """Show how many of ``total`` are done, as ``progress_over``; yields what to call with the number just done."""
    if not CONSOLE.is_terminal:
        done = 0

        def count(number: int) -> None:
            nonlocal done
            done += number

        with _heartbeat(lambda: f"{what}: {done:,} of {total:,} {unit}"):
            yield count
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
    )
    with Progress(*columns, TimeRemainingColumn(), console=CONSOLE) as progress:
        task = progress.add_task(what, total=total)
        yield lambda num: progress.advance(task, num)


def progress_over_scenes(
    num_scenes: int, what: str = "generating the synthetic dataset"
) -> AbstractContextManager[Advance]:
    """As ``progress_over_count``, of scenes."""
    return progress_over_count(num_scenes, what, "scenes")


@contextmanager
def timed() -> Generator[Callable[[], float], None, None]:
    """Yields a clock that tells the seconds since the block began."""
    start = time.perf_counter()
    yield lambda: time.perf_counter() - start


def print_plan(jobs: Sequence[Job]) -> None:
    """What a build would do: for each of its manifests where it goes, how many parts, and the resolved recipe."""
    for job in jobs:
        manifest = job.pass_.manifest()
        done = sum(job.pass_.folder.exists(rejected_file(index)) for index in range(manifest.num_parts))
        parts = f"{manifest.num_parts:,} parts, {done:,} of them committed"
        CONSOLE.print(f"{manifest.task}: {parts}, into {job.pass_.folder}")
        CONSOLE.print_json(json.dumps(manifest.recipe))


def print_summary(manifest: Manifest, out: object, seconds: float | None = None, num_built: int = 0) -> None:
    """Rows, the mix asked and achieved, what was rejected and why; then the paths of manifest and report.

    ``seconds`` are those of the ``num_built`` samples that were not there before.
    """
    table = Table(show_header=False)
    table.add_row("samples", f"{manifest.rows:,} in {len(manifest.parts):,} parts")
    for kind, achieved in manifest.mix.achieved.items():
        asked = f" (asked {100 * manifest.mix.asked[kind]:.4g} %)" if kind in manifest.mix.asked else ""
        table.add_row(f"  {kind}", f"{achieved:,} = {100 * achieved / max(1, manifest.rows):.2f} %{asked}")
    table.add_row("rejected", f"{sum(manifest.rejected.values()):,}")
    for reason, count in manifest.rejected.items():
        table.add_row(f"  {reason}", f"{count:,}")
    if seconds:
        rate = f", {num_built / seconds:,.0f} samples/s" if num_built else ""
        table.add_row("time", f"{seconds:.1f} s{rate}")
    CONSOLE.print(f"{manifest.task} from {manifest.source}")
    CONSOLE.print(table)
    CONSOLE.print(f"manifest: {out}/{MANIFEST_NAME}")
    CONSOLE.print(f"report: {out}/{REPORT_NAME}")
