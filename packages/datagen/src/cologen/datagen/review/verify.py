"""Verifies a manifest: recomputes every hash, count and rule from its files alone.

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
from typing import Any

import numpy as np
import pyarrow as pa

from cologen.datagen.faults import attempt
from cologen.datagen.manifest import MANIFEST_NAME, Manifest, PartReport, inspect_manifest, read_part, recipe_hash
from cologen.datagen.manifest import maps as control_maps
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.schemas import MIX_COLUMNS, REJECTED_SCHEMA, schema_of
from cologen.datagen.passes.pairs import PairRecipe
from cologen.datagen.passes.recipes import Recipe, recipe_of
from cologen.datagen.records import Reason, RejectedError
from cologen.datagen.review.row_rules import row_problems


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
    maps: frozenset[str] = frozenset()
    """The files of maps that its rows name."""


def verify(folder: Folder, root: Path | None = None, workers: int | None = None) -> Iterator[list[Finding]]:
    """What is wrong with a manifest: first of the manifest itself, then part by part, last across parts.

    ``root`` is the folder of the pictures (None: they are not looked at). Yields ``num_parts + 2`` lists.

    Raises:
        FileNotFoundError: there is no manifest.
        ValueError: it is not a manifest, or one of another schema version.
    """
    manifest, problems = inspect_manifest(folder)
    problems += _manifest_problems(manifest)
    try:
        recipe = recipe_of(manifest.task, manifest.recipe)
        problems += _recipe_problems(manifest, recipe)
    except ValueError as error:
        recipe = None
        problems.append(f"the recipe is not one of {manifest.task}, so rows are not checked: {error}")
    yield [Finding(MANIFEST_NAME, "", problem) for problem in problems]
    hashes, maps = list[bytes](), set[str]()
    with _parallel_map(workers or os.cpu_count() or 1) as run:
        for check in run(partial(_check_part, folder, manifest, recipe, root), manifest.parts):
            hashes.append(check.id_hashes)
            maps |= check.maps
            yield check.findings
    yield [*_repeated(b"".join(hashes)), *_extra_files(folder, manifest, maps)]


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


def _recipe_problems(manifest: Manifest, recipe: Recipe) -> Iterator[str]:
    if manifest.source != recipe.source.name:
        yield f"the source is {manifest.source}, the recipe's {recipe.source.name}"
    if isinstance(recipe, PairRecipe) and manifest.task != recipe.task:
        yield f"the task is {manifest.task}, the recipe's {recipe.task}"
    if manifest.num_parts != recipe.source.num_parts:
        yield f"num_parts is {manifest.num_parts}, the recipe's source has {recipe.source.num_parts}"
    if manifest.mix.asked != recipe.mix_asked:
        yield f"the mix asked is {manifest.mix.asked}, the recipe asks for {recipe.mix_asked}"


def _extra_files(folder: Folder, manifest: Manifest, maps: set[str]) -> Iterator[Finding]:
    """Files that look as if they belonged to the manifest, and that it does not know."""
    known = maps.union(*((part.file, part.rejected_file) for part in manifest.parts))
    for name in folder.names():
        if name.startswith(("part-", "rejected-", control_maps.PREFIX)) and name not in known:
            yield Finding(name, "", "is no part of the manifest")


def _check_part(
    folder: Folder, manifest: Manifest, recipe: Recipe | None, root: Path | None, part: PartReport
) -> _PartCheck:
    findings = [Finding(file, "", problem) for file, problem in _file_problems(folder, manifest, part)]
    if findings:
        return _PartCheck(findings, b"")
    rows = read_part(folder, part.file).to_pylist()
    if recipe is not None:
        findings = [
            Finding(part.file, row["sample_id"], problem)
            for row in rows
            for problem in _row_findings(row, manifest, recipe, folder, root)
        ]
    return _PartCheck(
        findings,
        b"".join(_id_hash(row["sample_id"]) for row in rows),
        frozenset(
            row["condition_uri"].partition("#")[0] for row in rows if row.get("map_hash") and row["condition_uri"]
        ),
    )


def _row_findings(
    row: dict[str, Any], manifest: Manifest, recipe: Recipe, folder: Folder, root: Path | None
) -> list[str]:
    """One row's problems; values that the rules cannot take are a problem too, and end nothing."""
    found = attempt(lambda: list(row_problems(row, manifest.task, recipe, folder, root)))
    return [f"it cannot be checked: {found.detail}"] if isinstance(found, RejectedError) else found


def _file_problems(folder: Folder, manifest: Manifest, part: PartReport) -> Iterator[tuple[str, str]]:
    for file, sha256 in ((part.file, part.sha256), (part.rejected_file, part.rejected_sha256)):
        if not folder.exists(file):
            yield file, "is missing"
        elif hashlib.sha256(folder.read(file)).hexdigest() != sha256:
            yield file, "its bytes are not those that were written"
        else:
            yield from ((file, problem) for problem in _table_problems(read_part(folder, file), file, manifest, part))


def _table_problems(table: pa.Table, file: str, manifest: Manifest, part: PartReport) -> Iterator[str]:
    schema = schema_of(manifest.task, table.schema.names) if file == part.file else REJECTED_SCHEMA
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
