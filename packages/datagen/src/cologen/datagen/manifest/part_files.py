"""The two files of a part: its samples, ``part-00000.parquet``, and its rejections, ``rejected-00000.parquet``.

A row is a recipe for one sample, never its pixels. A part is committed when both files are there: the samples are
written first, then the rejections, whose footer carries the report with the sample file's hash, and a seal over the
report and the file's own rows. A committed part is never written again, so that a run continues where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from cologen.datagen.faults import attempt
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.schemas import (
    MIX_COLUMNS,
    MORE_SOURCES,
    REJECTED_SCHEMA,
    SCHEMAS,
    Task,
    more_sources,
    schema_of,
)
from cologen.datagen.records import RejectedError, Rejection

_REPORT_KEY = b"cologen.report"
_SEAL_KEY = b"cologen.seal"


@dataclass(frozen=True, slots=True)
class PartContent:
    """What becomes of a part: one list per column of the task's schema, and what was rejected."""

    task: Task
    columns: dict[str, list[Any]]
    rejections: list[Rejection]

    @classmethod
    def of(cls, task: Task, rows: Sequence[dict[str, Any]], rejections: list[Rejection]) -> PartContent:
        """Content from rows that each hold every column of the task's schema."""
        columns = {name: [row[name] for row in rows] for name in SCHEMAS[task].names}
        if any(map(more_sources, rows)):
            columns[MORE_SOURCES.name] = list(map(more_sources, rows))
        return cls(task, columns, rejections)


class PartReport(BaseModel):
    """One committed part: its two files with their hashes, and what they hold by count."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    index: int
    file: str = Field(pattern=r"^part-\d{5,}\.parquet$")
    rows: int
    sha256: str
    rejected_file: str = Field(pattern=r"^rejected-\d{5,}\.parquet$")
    rejected_sha256: str
    rejected: dict[str, int]
    mix: dict[str, int]


def part_file(index: int) -> str:
    """The name of a part's samples."""
    return f"part-{index:05d}.parquet"


def rejected_file(index: int) -> str:
    """The name of a part's rejections."""
    return f"rejected-{index:05d}.parquet"


def commit_part(folder: Folder, index: int, content: PartContent) -> PartReport:
    """Write a part's two files, rows sorted by sample id; the same content gives the same bytes.

    A row that cannot be stored (a lone surrogate in its caption, a number out of range) becomes a rejection.
    """
    table, unstorable = _stored(content)
    table = table.sort_by("sample_id")
    samples = _parquet(table)
    rejections = [*content.rejections, *unstorable]
    rejected_rows = sorted(
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
    rows = list(zip(*rejected_rows, strict=True)) or [()] * len(REJECTED_SCHEMA)
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


def _stored(content: PartContent) -> tuple[pa.Table, list[Rejection]]:
    """The rows as a table of the task's schema, and a rejection for each row that does not fit into it."""
    schema = schema_of(content.task, content.columns)
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
