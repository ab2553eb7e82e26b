"""Random access to the rows of built manifests: memory-mapped, shared by all workers.

Parquet has to be decoded a column of a part at a time, so one row out of order costs its whole part. The first opening
therefore copies the rows into an uncompressed Arrow file in the cache folder, under the manifest's fingerprint, and
checks every part's hash on the way; later ones map that file into memory, and a row is read in place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Int64

from cologen.datagen import cache, images
from cologen.datagen.manifest import MANIFEST_NAME, Manifest, PartReport, load_manifest, recipe_hash
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.schemas import MORE_SOURCES, Task, completed, schema_of, whole_schema

_ROWS_FILE = "rows.arrow"
_ROWS_PER_BATCH = 8192

RowsCopied = Callable[[int], None]
"""Called with the number of rows that were just copied."""


def _unseen(_num_rows: int) -> None:
    pass


@dataclass(frozen=True)
class ManifestRows:
    """The rows of one manifest, in the order of parts and ids.

    ``root`` is where the pictures lie; ``fingerprint`` is the same wherever the same rows were built. It is pickled to
    worker processes as a few strings, and mapped again there.
    """

    task: str
    source: str
    root: Path
    fingerprint: str
    num_rows: int
    file: Path
    """The uncompressed rows in the cache folder."""

    def __len__(self) -> int:
        return self.num_rows

    def row(self, index: int) -> dict[str, Any]:
        """Row ``index`` of [0, len) with every column of the task's schema.

        Raises:
            IndexError: there is no such row.
        """
        if not 0 <= index < self.num_rows:
            raise IndexError(f"row {index} of {self.num_rows}")
        batch, place = divmod(index, _ROWS_PER_BATCH)
        return {name: column[place].as_py() for name, column in self._columns(batch)}

    def rows(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """The rows of these indices, in their order."""
        return [self.row(index) for index in indices]

    def picture(self, row: Mapping[str, Any]) -> images.Picture:
        """The whole picture that a row of an inpainting manifest is about.

        Raises:
            RejectedError: it cannot be read, or is of another size than the row says.
        """
        return images.decode(images.read_bytes(self.root, row["image_uri"]), (row["width"], row["height"]))

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    def _columns(self, batch: int) -> list[tuple[str, pa.Array]]:
        columns = self._opened.get(batch)
        if columns is None:
            record_batch = self._reader.get_batch(batch)
            columns = self._opened[batch] = list(zip(record_batch.schema.names, record_batch.columns, strict=True))
        return columns

    @cached_property
    def _opened(self) -> dict[int, list[tuple[str, pa.Array]]]:
        """Views into the mapped file, not copies of it."""
        return {}

    @cached_property
    def _reader(self) -> pa.RecordBatchFileReader:
        return pa.ipc.open_file(pa.memory_map(str(self.file)))


def open_manifest(
    folder: str | Path, task: str | Sequence[str], root: Path | None = None, progress: RowsCopied = _unseen
) -> ManifestRows:
    """The rows of a complete manifest of ``task`` (or of one of several), local or at a pyarrow filesystem URI.

    ``root`` replaces the pictures' folder that the manifest records. The first opening copies the rows and reports to
    ``progress``; concurrent ones wait for it.

    Raises:
        FileNotFoundError: there is no manifest, one of its parts is missing, or the pictures' root is.
        ValueError: it is of another task or schema version, incomplete, empty or damaged.
    """
    opened, manifest = _usable(folder, task)
    pictures = root or Path(manifest.root)
    if not pictures.is_dir():
        raise FileNotFoundError(
            f"the pictures of {opened} are not under {pictures}: give their root (--root MANIFEST=FOLDER of train)"
        )
    return _rows(opened, manifest, pictures, progress)


def open_rows(folder: str | Path, task: str | Sequence[str], progress: RowsCopied = _unseen) -> ManifestRows:
    """As ``open_manifest``, but the pictures need not be there.

    Raises:
        FileNotFoundError, ValueError: as ``open_manifest``.
    """
    opened, manifest = _usable(folder, task)
    return _rows(opened, manifest, Path(manifest.root), progress)


def _usable(folder: str | Path, task: str | Sequence[str]) -> tuple[Folder, Manifest]:
    opened = Folder.open(folder)
    manifest = load_manifest(opened)
    _refuse_unusable(opened, manifest, (task,) if isinstance(task, str) else tuple(task))
    return opened, manifest


def _rows(folder: Folder, manifest: Manifest, pictures: Path, progress: RowsCopied) -> ManifestRows:
    fingerprint = _fingerprint(manifest)
    kept = cache.built_once("rows", fingerprint, lambda into: _copy_rows(folder, manifest, into, progress))
    return ManifestRows(manifest.task, manifest.source, pictures, fingerprint, manifest.rows, kept / _ROWS_FILE)


def read_columns(rows: ManifestRows, names: Sequence[str]) -> pa.Table:
    """These columns of all rows, in the order of ``names``: views into the mapped file, not copies of it.

    For what is decided about all rows at once: sizes, kinds of conditions.
    """
    with pa.memory_map(str(rows.file)) as file:
        schema = pa.ipc.open_file(file).schema
        options = pa.ipc.IpcReadOptions(included_fields=[schema.get_field_index(name) for name in names])
        return pa.ipc.open_file(file, options=options).read_all().select(list(names))


def source_counts(rows: ManifestRows) -> Int64[np.ndarray, "rows"]:
    """How many source pictures each row has."""
    with pa.memory_map(str(rows.file)) as file:
        names = pa.ipc.open_file(file).schema.names
    if MORE_SOURCES.name not in names:
        return np.broadcast_to(np.int64(1), rows.num_rows)
    compute: Any = pc  # whose functions are made when it is imported
    more = compute.list_value_length(read_columns(rows, [MORE_SOURCES.name])[MORE_SOURCES.name])
    return 1 + more.to_numpy().astype(np.int64)


def _refuse_unusable(folder: Folder, manifest: Manifest, tasks: tuple[str, ...]) -> None:
    if manifest.task not in tasks:
        raise ValueError(f"{folder} holds samples of task {manifest.task}, expected {' or '.join(tasks)}")
    if not manifest.complete or [part.index for part in manifest.parts] != list(range(manifest.num_parts)):
        raise ValueError(
            f"{folder} is incomplete: {len(manifest.parts)} of {manifest.num_parts} parts. "
            "Run its build again; it goes on where it stopped."
        )
    if missing := sorted({part.file for part in manifest.parts} - set(folder.names())):
        raise FileNotFoundError(
            f"{folder} lacks {missing[0]}{f' and {len(missing) - 1} more' if missing[1:] else ''}: "
            "copy it again, or run its build again with --fresh"
        )
    if sum(part.rows for part in manifest.parts) != manifest.rows:
        raise ValueError(
            f"{folder}/{MANIFEST_NAME} says {manifest.rows} rows, its parts hold another number. {_VERIFY}"
        )
    if not manifest.rows:
        raise ValueError(f"{folder} has no samples: {sum(manifest.rejected.values())} were rejected, see its report")


_VERIFY = "`python -m pipelines.verify` says what else is wrong; run its build again with --fresh."


def _fingerprint(manifest: Manifest) -> str:
    """A hash of all that decides the rows, without the folder of the pictures."""
    return recipe_hash(manifest.model_dump(mode="json", exclude={"root"}))


def _copy_rows(folder: Folder, manifest: Manifest, into: Path, progress: RowsCopied) -> None:
    """Write all rows in batches of one length, so that a row's batch is a division away."""
    path, schema = into / _ROWS_FILE, whole_schema(manifest.task)
    try:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
            for batch in _even_batches(_part_rows(folder, part, manifest.task, progress) for part in manifest.parts):
                writer.write_table(batch)
    except OSError as error:
        path.unlink(missing_ok=True)  # on a full disk the partial copy only takes space
        raise ValueError(
            f"cannot copy the rows of {folder} to {path}: {error}. Make room (some 500 bytes for each of "
            f"{manifest.rows:,} rows), or set COLOGEN_CACHE to a folder on another disk."
        ) from error


def _even_batches(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of ``_ROWS_PER_BATCH``, each in one piece; the last may be shorter."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        while sum(len(each) for each in waiting) >= _ROWS_PER_BATCH:
            joined = pa.concat_tables(waiting)
            yield joined.slice(0, _ROWS_PER_BATCH).combine_chunks()
            waiting = [joined.slice(_ROWS_PER_BATCH)]
    rest = pa.concat_tables(waiting)
    if len(rest):
        yield rest.combine_chunks()


def _part_rows(folder: Folder, part: PartReport, task: Task, progress: RowsCopied) -> pa.Table:
    """One part's rows with all columns of the task, after comparing its bytes with the recorded hash."""
    data = folder.read(part.file)
    if hashlib.sha256(data).hexdigest() != part.sha256:
        raise ValueError(f"{folder}/{part.file} is damaged: its bytes are not those that were written. {_VERIFY}")
    table = pq.read_table(pa.BufferReader(data))
    if len(table) != part.rows or not table.schema.equals(schema_of(task, table.schema.names)):
        raise ValueError(f"{folder}/{part.file} holds other rows or columns than {MANIFEST_NAME} says. {_VERIFY}")
    progress(len(table))
    return completed(table, task)
