"""The contract between building and training: a folder of Parquet parts, their dead letters, and ``manifest.json``.

A row is a recipe for one sample, never its pixels. A part is committed when both its files are there: the samples
``part-00000.parquet`` first, then ``rejected-00000.parquet``, whose footer carries the report with the sample file's
hash, and a seal over the report and the file's own rows. A committed part is never written again, so that a run
continues where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cologen.datagen.faults import attempt
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.schemas import MIX_COLUMNS, REJECTED_SCHEMA, SCHEMAS, Task
from cologen.datagen.records import RejectedError, Rejection

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
REPORT_NAME = "report.html"
CARD_NAME = "README.md"

NO_CHECKSUM = "it holds no checksum: an older version wrote it"

_CHECKSUM = "checksum"
_REPORT_KEY = b"cologen.report"
_SEAL_KEY = b"cologen.seal"


@dataclass(frozen=True, slots=True)
class PartContent:
    """What becomes of a part: one list per column of the task's schema, and what was turned away."""

    task: Task
    columns: dict[str, list[Any]]
    rejections: list[Rejection]

    @classmethod
    def of(cls, task: Task, rows: Sequence[dict[str, Any]], rejections: list[Rejection]) -> PartContent:
        """Content from rows that each hold every column of the task's schema."""
        return cls(task, {name: [row[name] for row in rows] for name in SCHEMAS[task].names}, rejections)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@runtime_checkable
class Recipe(Protocol):
    """A recipe as far as its manifest knows it."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """The values by field, for ``mode="json"`` as JSON holds them."""
        ...


class PartReport(_Frozen):
    """One committed part: its two files with their hashes, and what they hold by count."""

    index: int
    file: str = Field(pattern=r"^part-\d{5,}\.parquet$")
    rows: int
    sha256: str
    rejected_file: str = Field(pattern=r"^rejected-\d{5,}\.parquet$")
    rejected_sha256: str
    rejected: dict[str, int]
    mix: dict[str, int]


class Mix(_Frozen):
    """The shares asked for, and the samples made of each kind."""

    asked: dict[str, float]
    achieved: dict[str, int]


class Manifest(_Frozen):
    """``manifest.json``. ``root`` is where the pictures lay; everything else is the same wherever it was built."""

    schema_version: int = SCHEMA_VERSION
    task: Task
    source: str
    recipe: dict[str, Any]
    recipe_hash: str
    num_parts: int
    root: str
    rows: int = 0
    rejected: dict[str, int] = {}
    mix: Mix
    parts: tuple[PartReport, ...] = ()
    complete: bool = False

    @classmethod
    def empty(
        cls, task: Task, source: str, recipe: Recipe, *, num_parts: int, root: Path, mix: dict[str, float]
    ) -> Manifest:
        """A manifest before its first part: the resolved recipe and what it asks for."""
        resolved = recipe.model_dump(mode="json")
        return cls(
            task=task,
            source=source,
            recipe=resolved,
            recipe_hash=recipe_hash(resolved),
            num_parts=num_parts,
            root=str(root),
            mix=Mix(asked=mix, achieved={}),
        )

    def finished(self, parts: Sequence[PartReport]) -> Manifest:
        """This manifest with all of its parts counted up, complete."""
        ordered = tuple(sorted(parts, key=lambda part: part.index))
        rejected, achieved = Counter[str](), Counter(dict.fromkeys(self.mix.asked, 0))
        for part in ordered:
            rejected.update(part.rejected)
            achieved.update(part.mix)
        return self.model_copy(
            update={
                "parts": ordered,
                "rows": sum(part.rows for part in ordered),
                "rejected": dict(sorted(rejected.items())),
                "mix": Mix(asked=self.mix.asked, achieved=dict(achieved)),
                "complete": True,
            }
        )


def recipe_hash(recipe: dict[str, Any]) -> str:
    """A hash of the resolved recipe; the order of its keys does not matter."""
    return _hash_of(recipe)


def save_manifest(folder: Folder, manifest: Manifest) -> None:
    """Write ``manifest.json`` atomically, with a checksum over all of its values."""
    content = manifest.model_dump(mode="json")
    content[_CHECKSUM] = _hash_of(content)
    folder.write(MANIFEST_NAME, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def load_manifest(folder: Folder) -> Manifest:
    """The folder's ``manifest.json``; one that holds no checksum was written by an older version, and is trusted.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is of another schema version, not a manifest, or was changed after it was written.
    """
    manifest, problems = inspect_manifest(folder)
    if changed := [problem for problem in problems if problem != NO_CHECKSUM]:
        raise ValueError(
            f"{folder}/{MANIFEST_NAME} was changed after it was written ({changed[0]}): put the original back, or "
            "start over with --fresh. If the pictures have moved, give --root instead."
        )
    return manifest


def inspect_manifest(folder: Folder) -> tuple[Manifest, list[str]]:
    """The folder's ``manifest.json`` whatever its checksum says, and what is wrong with the file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is of another schema version, or not a manifest.
    """
    if not folder.exists(MANIFEST_NAME):
        raise FileNotFoundError(f"no {MANIFEST_NAME} in {folder}: expected the --out folder of a build")
    repeated: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        counted = Counter(name for name, _ in pairs)
        repeated.extend(name for name, count in counted.items() if count > 1)
        return dict(pairs)

    try:
        content = json.loads(folder.read(MANIFEST_NAME), object_pairs_hook=members)
        version = content.get("schema_version")
        if version != SCHEMA_VERSION:
            raise ValueError(f"{folder}/{MANIFEST_NAME} has schema version {version}, this code reads {SCHEMA_VERSION}")
        checksum = content.pop(_CHECKSUM, None)
        manifest = Manifest.model_validate(content)
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, RecursionError, ValidationError) as error:
        raise ValueError(f"{folder}/{MANIFEST_NAME} is not a manifest: {error}") from error
    problems = [f"the key {name!a} occurs twice in one object" for name in repeated]
    if checksum is None:
        problems.append(NO_CHECKSUM)
    elif checksum != _hash_of(content):
        problems.append("its checksum differs")
    return manifest, problems


def _hash_of(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def part_file(index: int) -> str:
    """The name of a part's samples."""
    return f"part-{index:05d}.parquet"


def rejected_file(index: int) -> str:
    """The name of a part's dead letters."""
    return f"rejected-{index:05d}.parquet"


def commit_part(folder: Folder, index: int, content: PartContent) -> PartReport:
    """Write a part's two files, rows sorted by sample id; the same content gives the same bytes.

    A row that cannot be stored (a lone surrogate in its caption, a number out of range) becomes a rejection.
    """
    table, unstorable = _stored(content)
    table = table.sort_by("sample_id")
    samples = _parquet(table)
    rejections = [*content.rejections, *unstorable]
    dead_letters = sorted(
        (_encodable(one.sample_id), one.stage, str(one.reason), _encodable(one.detail)) for one in rejections
    )
    mix_column = MIX_COLUMNS[content.task]
    report = {
        "index": index,
        "file": part_file(index),
        "rows": table.num_rows,
        "sha256": hashlib.sha256(samples).hexdigest(),
        "rejected_file": rejected_file(index),
        "rejected": dict(sorted(Counter(one.reason.value for one in rejections).items())),
        "mix": dict(sorted(Counter(table[mix_column].to_pylist()).items())) if mix_column else {},
    }
    rows = list(zip(*dead_letters, strict=True)) or [()] * len(REJECTED_SCHEMA)
    rejected = pa.table(dict(zip(REJECTED_SCHEMA.names, rows, strict=True)), schema=REJECTED_SCHEMA)
    words = json.dumps(report)
    rejected = _parquet(rejected.replace_schema_metadata({_REPORT_KEY: words, _SEAL_KEY: _seal(words, rejected)}))
    folder.write(part_file(index), samples)
    folder.write(rejected_file(index), rejected)
    return PartReport.model_validate(report | {"rejected_sha256": hashlib.sha256(rejected).hexdigest()})


def committed_part(folder: Folder, index: int) -> PartReport | None:
    """The report of a part that is committed already, its files checked against it; None if it is not.

    Raises:
        ValueError: one of its files is damaged.
    """
    if not folder.exists(rejected_file(index)):
        return None
    rejected = folder.read(rejected_file(index))
    try:
        table = pq.read_table(pa.BufferReader(rejected))
        metadata = table.schema.metadata or {}
        words = metadata[_REPORT_KEY].decode()
        sealed = metadata[_SEAL_KEY].decode() == _seal(words, table)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise _corrupt(folder, rejected_file(index), str(error)) from error
    if not sealed:
        raise _corrupt(folder, rejected_file(index), "its rows are not those that were written")
    content = json.loads(words)
    report = PartReport.model_validate(content | {"rejected_sha256": hashlib.sha256(rejected).hexdigest()})
    if report.index != index:
        raise _corrupt(folder, rejected_file(index), f"it belongs to part {report.index}")
    if not folder.exists(report.file) or hashlib.sha256(folder.read(report.file)).hexdigest() != report.sha256:
        raise _corrupt(folder, report.file, "its bytes are not those that were written")
    return report


def read_part(folder: Folder, file: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of one part's file.

    Raises:
        ValueError: the file is missing or damaged.
    """
    try:
        return pq.read_table(pa.BufferReader(folder.read(file)), columns=list(columns) if columns else None)
    except (pa.ArrowException, OSError) as error:
        raise _corrupt(folder, file, str(error)) from error


def iterate_rows(folder: Folder, manifest: Manifest) -> Iterator[dict[str, Any]]:
    """All rows in the order of parts and ids, one part in memory at a time."""
    for part in manifest.parts:
        yield from read_part(folder, part.file).to_pylist()


def _stored(content: PartContent) -> tuple[pa.Table, list[Rejection]]:
    """The rows as a table of the task's schema, and a rejection for each row that does not fit into it."""
    schema = SCHEMAS[content.task]
    whole = attempt(partial(pa.table, content.columns, schema=schema))
    if not isinstance(whole, RejectedError):
        return whole, []
    tables, rejections = [schema.empty_table()], list[Rejection]()
    for sample_id, *values in zip(content.columns["sample_id"], *content.columns.values(), strict=True):
        row = {name: [value] for name, value in zip(content.columns, values, strict=True)}
        single = attempt(partial(pa.table, row, schema=schema))
        if isinstance(single, RejectedError):
            rejections.append(single.of(str(sample_id), "commit"))
        else:
            tables.append(single)
    return pa.concat_tables(tables), rejections


def _encodable(text: str) -> str:
    """The text with what UTF-8 cannot hold, lone surrogates, as escapes."""
    return text.encode(errors="backslashreplace").decode()


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def _seal(report: str, rejected: pa.Table) -> str:
    return hashlib.sha256(ascii((report, rejected.to_pylist())).encode()).hexdigest()


def _corrupt(folder: Folder, file: str, why: str) -> ValueError:
    return ValueError(
        f"{folder}/{file} is damaged ({why}). Delete it and its twin of the same number, and build again."
    )
