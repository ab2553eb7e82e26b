"""A dataset's list, built once into memory-mapped Arrow files: opening is cheap and memory does not grow with it.

A row is a key, which names the picture within its dataset, and a payload of raw bytes that only reading interprets.
Rows come back in the order of their keys, so that pictures of one archive are adjacent and so are repeated keys.

The index keeps a hash of the content of the files it was made from. They are read again only when one of them has
another size, inode or time of change.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cologen.datagen import cache
from cologen.datagen.datasets.files import text_files
from cologen.datagen.records import Reason, RejectedError

_VERSION = 3
_BATCH_ROWS = 1024
_SCHEMA = pa.schema([("key", pa.string()), ("payload", pa.large_binary())])
_ORDER = pa.schema([("position", pa.int64())])
_ROWS_FILE, _ORDER_FILE, _CONSTANTS_FILE = "rows.arrow", "order.arrow", "constants.json"

Row = tuple[str, bytes]
Digest = Callable[[Path], str]
"""A hash of what matters of a file's content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Rows in any order, and what holds for all of them (category names), as JSON."""

    rows: Iterable[Row]
    constants: dict[str, Any] = field(default_factory=dict)


class Index:
    """The rows of one dataset split, by position in key order."""

    def __init__(self, folder: Path, inputs: str) -> None:
        self._rows = pa.ipc.open_file(pa.memory_map(str(folder / _ROWS_FILE)))
        self._order = pa.ipc.open_file(pa.memory_map(str(folder / _ORDER_FILE))).get_batch(0).column(0).to_numpy()
        # One batch as Python's own lists: rows are mostly read in order, and a scalar of Arrow's costs microseconds.
        self._held, self._columns = -1, dict[str, list[Any]]()
        stored = json.loads((folder / _CONSTANTS_FILE).read_bytes())
        self.constants: dict[str, Any] = stored["constants"]
        self.fingerprint = _hash(inputs, *stored["digests"], str(len(self)))

    def __len__(self) -> int:
        return len(self._order)

    def key(self, index: int) -> str:
        """What names the picture at ``index``; unique unless ``repeats`` says otherwise."""
        return self._cell(index, "key")

    def payload(self, index: int) -> bytes:
        """The raw bytes of the row at ``index``."""
        return self._cell(index, "payload")

    def repeats(self, index: int) -> bool:
        """Whether the row before has the same key; of equal keys the first one listed comes first."""
        return index > 0 and self.key(index) == self.key(index - 1)

    def row(self, index: int) -> bytes:
        """The payload of the row at ``index``.

        Raises:
            RejectedError: the row repeats the one before.
        """
        if self.repeats(index):
            raise RejectedError(Reason.DUPLICATE_ID, f"{self.key(index)} is listed before")
        return self.payload(index)

    def _cell(self, index: int, column: str) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        batch, row = divmod(int(self._order[index]), _BATCH_ROWS)
        if self._held != batch:
            self._columns = self._rows.get_batch(batch).to_pydict()
            self._held = batch
        return self._columns[column][row]


def encodable(name: str) -> str:
    """A file's name as text that can be stored: bytes of it that are no UTF-8 become ``\\xff``."""
    return os.fsencode(name).decode(errors="backslashreplace")


def digest_of_content(path: Path) -> str:
    """A hash of all of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def open_index(
    root: Path,
    files: Sequence[Path],
    options: Sequence[str],
    build: Callable[[], Listing],
    digest: Digest = digest_of_content,
) -> Index:
    """The index made from ``files`` under ``root`` with ``options``, built first if no process has done so.

    Its fingerprint is a hash of the files' names, sizes and ``digest``, of ``options`` and of the number of rows.

    Raises:
        ValueError: the cache folder cannot be written.
        FileNotFoundError: there is nothing to list.
    """
    states = [path.stat() for path in files]
    named = [(encodable(path.name), state.st_size) for path, state in zip(files, states, strict=True)]
    inputs = json.dumps([named, *options])
    # These tell a rewritten file from its cached listing, but differ between machines: not for the fingerprint.
    # The time of change (ctime) shows an edit even where its author has set the time of modification back.
    times = ",".join(f"{state.st_mtime_ns}-{state.st_ctime_ns}-{state.st_ino}" for state in states)
    key = "|".join((str(_VERSION), encodable(str(root.absolute())), inputs, times))
    folder = cache.built_once("index", key, lambda partial: _write(partial, root, build(), map(digest, files)))
    return Index(folder, inputs)


def open_lines(root: Path, files: Mapping[str, Path]) -> Index:
    """The JSON lines of ``files``, malformed or not, under keys ``<its name>/<line number from 1>``; no blank ones.

    Raises:
        FileNotFoundError: there is no line.
        ValueError: a file is not in UTF-8, or the cache folder cannot be written.
    """
    return open_index(root, list(files.values()), ["lines", *files], lambda: Listing(rows=_lines(files)))


def _lines(files: Mapping[str, Path]) -> Iterator[Row]:
    for name, path in files.items():
        with path.open("rb") as file:
            for number, line in enumerate(text_files.lines(file.readline, path), start=1):
                if line.strip():
                    yield f"{name}/{number:09d}", line


def _write(folder: Path, root: Path, listing: Listing, digests: Iterable[str]) -> None:
    keys: list[pa.Array] = []
    rows = iter(listing.rows)
    with pa.ipc.new_file(folder / _ROWS_FILE, _SCHEMA) as writer:
        for batch in _batches(rows):
            keys.append(batch.column(0))
            writer.write_batch(batch)
    if not keys:
        raise FileNotFoundError(f"{root}: no pictures are listed there")
    # Arrow's sort is stable: of equal keys the first one listed stays first.
    order = pc.call_function("array_sort_indices", [pa.concat_arrays(keys)]).cast(pa.int64())
    with pa.ipc.new_file(folder / _ORDER_FILE, _ORDER) as writer:
        writer.write_batch(pa.record_batch([order], schema=_ORDER))
    stored = {"constants": listing.constants, "digests": list(digests)}
    (folder / _CONSTANTS_FILE).write_text(json.dumps(stored))


def _batches(rows: Iterator[Row]) -> Iterator[pa.RecordBatch]:
    while batch := list(islice(rows, _BATCH_ROWS)):
        yield pa.record_batch([list(column) for column in zip(*batch, strict=True)], schema=_SCHEMA)


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
