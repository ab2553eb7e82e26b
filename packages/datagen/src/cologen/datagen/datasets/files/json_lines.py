"""Files of JSON lines as an index: each line is a row named by its list and its number, malformed or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from cologen.datagen.datasets.files import text_files
from cologen.datagen.datasets.files.index import Index, Listing, Row, open_index


def open_lines(root: Path, files: Mapping[str, Path]) -> Index:
    """The lines of ``files``, each under ``<its name>/<line number from 1>``; blank lines are none.

    Raises:
        FileNotFoundError: there is no line.
        ValueError: a file is not in UTF-8, or the cache folder cannot be written.
    """
    listing = partial(_list_lines, files)
    return open_index(root, list(files.values()), ["lines", *files], listing)


def _list_lines(files: Mapping[str, Path]) -> Listing:
    return Listing(rows=_rows(files))


def _rows(files: Mapping[str, Path]) -> Iterator[Row]:
    for name, path in files.items():
        with path.open("rb") as file:
            for number, line in enumerate(text_files.lines(file.readline, path), start=1):
                if line.strip():
                    yield f"{name}/{number:09d}", line
