"""What the command lines share: errors in one clear message, a progress bar over parts, a summary table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import tyro
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from cologen.datagen.build import Job, PartDone
from cologen.datagen.manifest import Manifest, rejected_file
from cologen.datagen.printable import console

_Options = TypeVar("_Options")

CONSOLE = console()
_ERRORS = console(stderr=True)


def run(options: type[_Options], command: Callable[[_Options], int], args: Sequence[str] | None = None) -> int:
    """Parse the arguments (None: the process's own), run the command, and return its exit code.

    0 done, 1 failed with one message that says what to do next; wrong usage leaves with 2.
    """
    parsed = tyro.cli(options, args=args, config=(tyro.conf.FlagCreatePairsOff,))
    try:
        return command(parsed)
    except (ValueError, OSError, RuntimeError) as error:
        _ERRORS.print(f"Failed: {error}")
    except KeyboardInterrupt:
        _ERRORS.print("Stopped. What is committed is kept: run the same command again to continue.")
    return 1


@contextmanager
def progress_over(num_parts: int) -> Generator[Callable[[PartDone], None], None, None]:
    """A bar over parts with the samples made and rejected; yields what to call when a part is done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("parts · {task.fields[made]:,} samples · {task.fields[rejected]:,} rejected"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=CONSOLE) as progress:
        task = progress.add_task("building", total=num_parts, made=0, rejected=0)
        made, rejected = 0, 0

        def advance(done: PartDone) -> None:
            nonlocal made, rejected
            made, rejected = made + done.report.rows, rejected + sum(done.report.rejected.values())
            progress.update(task, advance=1, made=made, rejected=rejected)

        yield advance


@contextmanager
def progress_over_scenes(num_scenes: int) -> Generator[Callable[[int], None], None, None]:
    """A bar over the scenes of the synthetic world; yields what to call with the number of scenes just drawn."""
    with Progress(console=CONSOLE) as progress:
        task = progress.add_task("drawing the world", total=num_scenes)
        yield lambda num: progress.advance(task, num)
        progress.update(task, completed=num_scenes)


@contextmanager
def timed() -> Generator[Callable[[], float], None, None]:
    """Yields a clock that tells the seconds since the block began."""
    start = time.perf_counter()
    yield lambda: time.perf_counter() - start


def print_plan(jobs: Sequence[Job]) -> None:
    """What a build would do: for each of its manifests where it goes, how many parts, and the resolved recipe."""
    for job in jobs:
        manifest = job.stage.manifest()
        done = sum(job.stage.folder.exists(rejected_file(index)) for index in range(manifest.num_parts))
        parts = f"{manifest.num_parts:,} parts, {done:,} of them committed"
        CONSOLE.print(f"{manifest.task}: {parts}, into {job.stage.folder}")
        CONSOLE.print_json(json.dumps(manifest.recipe))


def print_summary(manifest: Manifest, out: object, seconds: float | None = None, reused: int = 0) -> None:
    """Rows, the mix asked and achieved, what was rejected and why, and where the report lies."""
    table = Table(title=f"{manifest.task} from {manifest.source}", show_header=False, title_justify="left")
    made = f"{manifest.rows:,} in {len(manifest.parts):,} parts"
    if reused:
        made += f" ({reused:,} parts were there already)"
    table.add_row("samples", made)
    for kind, achieved in manifest.mix.achieved.items():
        asked = f" (asked {100 * manifest.mix.asked[kind]:.4g} %)" if kind in manifest.mix.asked else ""
        table.add_row(f"  {kind}", f"{achieved:,} = {100 * achieved / max(1, manifest.rows):.2f} %{asked}")
    table.add_row("rejected", f"{sum(manifest.rejected.values()):,}")
    for reason, count in manifest.rejected.items():
        table.add_row(f"  {reason}", f"{count:,}")
    if seconds:
        table.add_row("time", f"{seconds:.1f} s, {manifest.rows / seconds:,.0f} samples/s")
    table.add_row("manifest", f"{out}/manifest.json")
    table.add_row("report", f"{out}/report.html")
    CONSOLE.print(table)
