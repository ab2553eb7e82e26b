"""``python -m pipelines.fetch_models``: download and check the optional weights; stopped, it continues where it was."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from cologen.datagen import model_files
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.model_files import ModelFile, download
from pipelines.console import CONSOLE, run
from pipelines.model_catalog import CATALOG


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Download and check (sha256) the optional weights. Nothing needs them on the synthetic dataset.

    A broken download continues where it was, a damaged one is refused, and a file that is there is checked again.
    """

    only: tuple[str, ...] = ()
    """Names of the files to fetch, as --list shows them. Default: all."""
    out: Path = Path("models")
    """Folder for the files."""
    list: bool = False
    """Show what there is, what for, under which licence and what is here, and fetch nothing."""
    dry_run: bool = False
    """Say what would be fetched from where, and fetch nothing."""

    def __post_init__(self) -> None:
        names = [file.name for file in CATALOG]
        if unknown := [name for name in self.only if name not in names]:
            raise ValueError(f"only knows no {', '.join(unknown)}; there are {', '.join(names)}")

    @property
    def files(self) -> tuple[ModelFile, ...]:
        """The files asked for."""
        return tuple(file for file in CATALOG if not self.only or file.name in self.only)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(Options, _fetch, args)


def _fetch(options: Options) -> int:
    """Bring the files one after the other, and show what is there now."""
    if options.list or options.dry_run:
        _print_table(options.files, options.out)
        if options.dry_run:
            _print_plan(options.files, options.out)
        return 0
    folder, failures = Folder.open(options.out), list[str]()
    folder.create()
    with folder.locked():
        for file in options.files:
            try:
                with _progress_of(file) as progress:
                    download(file, options.out, progress)
            except (ValueError, FileNotFoundError) as error:
                # This file's own trouble: the others may still come. No network and a full disk end it all.
                failures.append(str(error))
    _print_table(options.files, options.out)
    if failures:
        raise ValueError("\n".join(failures))
    return 0


@contextmanager
def _progress_of(file: ModelFile) -> Generator[model_files.Progress, None, None]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=CONSOLE) as bar:
        task = bar.add_task(file.name, total=file.size)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print_table(files: Iterable[ModelFile], folder: Path) -> None:
    table = Table("name", "size", "purpose", "licence", "state")
    for file in files:
        size = "unknown" if file.size is None else decimal(file.size)
        table.add_row(file.name, size, file.purpose, file.licence, _state(file, folder))
    CONSOLE.print(f"models in {folder}")
    CONSOLE.print(table)


def _state(file: ModelFile, folder: Path) -> str:
    """What is here, by its name alone: only a run that fetches reads it to check it."""
    if file.path(folder).exists():
        state = "is here"
    elif file.part(folder).exists():
        state = f"{decimal(file.part(folder).stat().st_size)} are here"
    else:
        state = "missing"
    return state if file.expected(folder) else f"{state}; hash recorded at first download"


def _print_plan(files: Iterable[ModelFile], folder: Path) -> None:
    for file in files:
        verb = "check" if file.path(folder).exists() else "fetch"
        CONSOLE.print(f"would {verb} {file.path(folder)}: {file.url}")


if __name__ == "__main__":
    sys.exit(main())
