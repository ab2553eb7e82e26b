"""Trust, but recompute: every hash, count and rule of a manifest, from its files alone.

Where the pictures can be reached, their sizes are checked too. Parts are independent, so they are checked in parallel;
a sample id's uniqueness over all parts is checked by its 64-bit hash.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa

from cologen.datagen.manifest import Manifest, PartReport, load_manifest, read_part, recipe_hash
from cologen.datagen.records import Reason
from cologen.datagen.row_rules import row_problems
from cologen.datagen.schemas import MIX_COLUMNS, REJECTED_SCHEMA, SCHEMAS
from cologen.datagen.storage import Folder


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: in which file, at which sample (or ``""``), and what."""

    file: str
    sample_id: str
    problem: str


@dataclass(frozen=True, slots=True)
class _PartCheck:
    findings: list[Finding]
    id_hashes: bytes
    """The first 8 bytes of each sample id's hash, one after the other."""


def verify(folder: Folder, root: Path | None = None, workers: int | None = None) -> Iterator[list[Finding]]:
    """What is wrong with a manifest: first of the manifest itself, then part by part, last across parts.

    ``root`` is where the pictures lie (None: they are not looked at). Yields ``num_parts + 2`` lists.

    Raises:
        FileNotFoundError: there is no manifest.
        ValueError: it is not a manifest, or one of another schema version.
    """
    manifest = load_manifest(folder)
    yield [Finding("manifest.json", "", problem) for problem in _manifest_problems(manifest)]
    hashes: list[bytes] = []
    with _parallel_map(workers or os.cpu_count() or 1) as run:
        for check in run(partial(_check_part, folder, manifest, root), manifest.parts):
            hashes.append(check.id_hashes)
            yield check.findings
    yield _repeated(b"".join(hashes))


@contextmanager
def _parallel_map(workers: int) -> Generator[Callable[..., Iterator[_PartCheck]], None, None]:
    """``map`` over processes, in order; in this one where one is enough."""
    if workers == 1:
        yield map
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            yield pool.map


def _manifest_problems(manifest: Manifest) -> Iterator[str]:
    if not manifest.complete:
        yield f"not complete: {manifest.num_parts} parts are to be built; run the build again"
    elif [part.index for part in manifest.parts] != list(range(manifest.num_parts)):
        yield f"lists {len(manifest.parts)} parts, expected 0 to {manifest.num_parts - 1}"
    if manifest.recipe_hash != recipe_hash(manifest.recipe):
        yield "the recipe's hash does not belong to the recipe"
    if manifest != manifest.finished(manifest.parts).model_copy(update={"complete": manifest.complete}):
        yield "the totals are not the sums over the parts"


def _check_part(folder: Folder, manifest: Manifest, root: Path | None, part: PartReport) -> _PartCheck:
    findings = [Finding(file, "", problem) for file, problem in _file_problems(folder, manifest, part)]
    if findings:
        return _PartCheck(findings, b"")
    rows = read_part(folder, part.file).to_pylist()
    for row in rows:
        findings.extend(
            Finding(part.file, row["sample_id"], problem) for problem in row_problems(row, manifest, folder, root)
        )
    return _PartCheck(findings, b"".join(_id_hash(row["sample_id"]) for row in rows))


def _file_problems(folder: Folder, manifest: Manifest, part: PartReport) -> Iterator[tuple[str, str]]:
    for file, sha256 in ((part.file, part.sha256), (part.rejected_file, part.rejected_sha256)):
        if not folder.exists(file):
            yield file, "is missing"
        elif hashlib.sha256(folder.read(file)).hexdigest() != sha256:
            yield file, "its bytes are not those that were written"
        else:
            yield from ((file, problem) for problem in _table_problems(read_part(folder, file), file, manifest, part))


def _table_problems(table: pa.Table, file: str, manifest: Manifest, part: PartReport) -> Iterator[str]:
    schema = SCHEMAS[manifest.task] if file == part.file else REJECTED_SCHEMA
    if not table.schema.equals(schema):
        yield f"columns are {table.schema.names}, expected {schema.names} and their types"
    elif file == part.rejected_file:
        if Counter(table["reason"].to_pylist()) != part.rejected:
            yield "rejections do not add up to the report"
        if unknown := set(table["reason"].to_pylist()) - set(Reason):
            yield f"unknown reasons {sorted(unknown)}"
    else:
        ids, mix_column = table["sample_id"].to_pylist(), MIX_COLUMNS[manifest.task]
        if len(ids) != part.rows or (mix_column and Counter(table[mix_column].to_pylist()) != part.mix):
            yield "rows do not add up to the report"
        if any(one >= two for one, two in pairwise(ids)):
            yield "sample ids are not in strictly rising order"


def _id_hash(sample_id: str) -> bytes:
    return hashlib.blake2b(sample_id.encode(), digest_size=8).digest()


def _repeated(id_hashes: bytes) -> list[Finding]:
    hashes = np.sort(np.frombuffer(id_hashes, dtype=np.uint64))
    num_repeated = int((hashes[1:] == hashes[:-1]).sum())
    return [Finding("manifest.json", "", f"{num_repeated} sample ids occur more than once")] if num_repeated else []
