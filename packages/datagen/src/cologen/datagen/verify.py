"""Trust, but recompute: every hash, count and rule of a manifest, from its files alone.

Where the pictures can be reached, their sizes are checked too. Parts are independent, so they are checked in parallel;
a sample id's uniqueness over all parts is checked by its 64-bit hash.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
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

from cologen.datagen import images, rle
from cologen.datagen.manifest import (
    MIX_COLUMNS,
    REJECTED_SCHEMA,
    SCHEMAS,
    Manifest,
    PartReport,
    Task,
    load_manifest,
    read_part,
    recipe_hash,
)
from cologen.datagen.masks.policy import MaskPolicy
from cologen.datagen.pairs.filters import PairPolicy, check_scores
from cologen.datagen.randomness import derived_seed
from cologen.datagen.records import Reason, RejectedError
from cologen.datagen.storage import Folder

TOLERANCE = 1e-5  # areas and overlaps are stored as float32


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
        findings.extend(Finding(part.file, row["sample_id"], problem) for problem in _row_problems(row, manifest, root))
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


def _row_problems(row: Mapping[str, Any], manifest: Manifest, root: Path | None) -> Iterator[str]:
    prefix = f"{manifest.source}/"
    if not row["sample_id"].startswith(prefix) or row["source"] != manifest.source or row["task"] != manifest.task:
        yield f"does not belong to task {manifest.task} of source {manifest.source}"
    if row["seed"] != derived_seed(manifest.recipe.get("seed", 0), row["sample_id"]):
        yield "its seed is not the one of its id"
    if not row["caption"].strip():
        yield "its caption is blank"
    try:
        yield from _TASK_PROBLEMS[manifest.task](row, manifest)
    except ValueError as error:
        yield f"a mask does not decode: {error}"
    if root is not None:
        yield from _picture_problems(row, root)


def _picture_problems(row: Mapping[str, Any], root: Path) -> Iterator[str]:
    if "target_uri" in row:
        yield from _pair_picture_problems(row, root)
        return
    try:
        size = images.probe(root, row["image_uri"])
    except RejectedError as error:
        yield f"its picture cannot be used: {error}"
    else:
        if sorted(size) != sorted((row["width"], row["height"])):
            yield f"its picture is {size[0]} x {size[1]}, the row says {row['width']} x {row['height']}"


def _pair_picture_problems(row: Mapping[str, Any], root: Path) -> Iterator[str]:
    for role in ("source", "target"):
        try:
            size = images.probe(root, row[f"{role}_uri"])
        except RejectedError as error:
            yield f"its {role} cannot be used: {error}"
            continue
        box = row[f"{role}_box"]
        if box is not None and (box[2] > size[0] or box[3] > size[1]):
            yield f"its {role}'s box {box} leaves an image of {size[0]} x {size[1]}"
        elif role == "target" and box is None and size != (row["width"], row["height"]):
            yield f"its target is {size[0]} x {size[1]}, the row says {row['width']} x {row['height']}"


def _concept_problems(row: Mapping[str, Any], _: Manifest) -> Iterator[str]:
    for number, item in enumerate(row["objects"]):
        for problem in _object_problems(item["rle"], item["box"], row["height"], row["width"]):
            yield f"object {number}: {problem}"


def _object_problems(counts: bytes, box: list[float], height: int, width: int) -> Iterator[str]:
    rle.check(counts, height, width)
    tight = rle.box(counts, height, width)
    if tight.area == 0:
        yield "the object's mask is empty"
    elif not np.allclose(tight.xyxy(), box):
        yield f"the object's box is {box}, its pixels span {tight.xyxy()}"


def _grounding_problems(row: Mapping[str, Any], _: Manifest) -> Iterator[str]:
    height, width = row["height"], row["width"]
    if row["caption"] != row["instruction"]:
        yield "its caption is not its instruction"
    if row["negative"] != (not row["boxes"]):
        yield f"{len(row['boxes'])} boxes in a row that is {'' if row['negative'] else 'not '}negative"
    for left, top, right, bottom in row["boxes"]:
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            yield f"box {[left, top, right, bottom]} is empty or leaves the picture"
    if row["referring"] == "instance" and len(row["boxes"]) > 1:
        yield "an instance row marks more than one instance"
    if row["referring"] == "mask" and not row["negative"]:
        yield from _cover_problems(row)
    elif row["referring"] != "mask" and not (row["line_width"] or 0) >= 1:
        yield "a frame has no line width"


def _cover_problems(row: Mapping[str, Any]) -> Iterator[str]:
    if row["mask_rle"] is None or not 0 < (row["opacity"] or 0) <= 1:
        yield "a mask row lacks its mask or its opacity"
        return
    rle.check(row["mask_rle"], row["height"], row["width"])
    tight, boxes = rle.box(row["mask_rle"], row["height"], row["width"]).xyxy(), np.array(row["boxes"])
    if not np.allclose(tight, (*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0))):
        yield f"its mask spans {tight}, its boxes do not"


def _pair_problems(row: Mapping[str, Any], manifest: Manifest) -> Iterator[str]:
    if row["caption"] != row["instruction"]:
        yield "its caption is not its instruction"
    if row["image_uri"] != row["target_uri"]:
        yield "its image is not its target"
    if (row["source_uri"], row["source_box"]) == (row["target_uri"], row["target_box"]):
        yield "its source is its target"
    for role in ("source", "target"):
        left, top, right, bottom = row[f"{role}_box"] or (0, 0, 1, 1)
        if not (0 <= left < right and 0 <= top < bottom):
            yield f"its {role}'s box {row[f'{role}_box']} is empty or leaves the picture"
    if (box := row["target_box"]) and (box[2] - box[0], box[3] - box[1]) != (row["width"], row["height"]):
        yield f"its target's box is {box}, the row says {row['width']} x {row['height']}"
    try:
        scores = tuple((one["name"], one["value"]) for one in row["scores"])
        check_scores(scores, PairPolicy.model_validate(manifest.recipe["policy"]))
    except RejectedError as error:
        yield f"its scores do not pass: {error}"


def _inpaint_problems(row: Mapping[str, Any], manifest: Manifest) -> Iterator[str]:
    policy = MaskPolicy.model_validate(manifest.recipe["policy"])
    height, width, mask = row["height"], row["width"], row["mask_rle"]
    rle.check(mask, height, width)
    area = rle.area(mask) / (height * width)
    if not 0 < area < 1:
        yield "its mask is empty or full"
    if abs(area - row["mask_area"]) > TOLERANCE:
        yield f"its mask covers {area:.6f} of the picture, the row says {row['mask_area']:.6f}"
    if row["object_rle"] is not None:
        yield from _object_problems(row["object_rle"], row["object_box"], height, width)
        iou, coverage = (float(value[0]) for value in rle.overlaps(mask, [row["object_rle"]], height, width))
        yield from _overlap_problems(row, policy, iou, coverage)
    elif row["mask_kind"] != "random" or row["max_object_iou"] > 0:
        yield f"a mask of kind {row['mask_kind']} overlaps an object that the row does not hold"


def _overlap_problems(row: Mapping[str, Any], policy: MaskPolicy, iou: float, coverage: float) -> Iterator[str]:
    kind, largest = row["mask_kind"], row["max_object_iou"]
    if kind == "random":
        if abs(iou - largest) > TOLERANCE:
            yield f"its IoU with the object is {iou:.4f}, the row says {largest:.4f}"
        if largest > policy.max_object_iou + TOLERANCE:
            yield f"a random mask with IoU {largest:.4f} above {policy.max_object_iou}"
        if row["max_object_coverage"] > policy.max_object_coverage + TOLERANCE:
            yield f"a random mask hides {row['max_object_coverage']:.4f} of an object"
        return
    if largest < iou - TOLERANCE or coverage < 1 - TOLERANCE:
        yield f"a mask of kind {kind} covers {coverage:.4f} of its object"
    if kind == "object" and policy.dilation == 0 and row["mask_rle"] != row["object_rle"]:
        yield "an object mask differs from its object"
    if kind == "irregular" and not _covers(row["mask_rle"], row["object_box"], row["height"], row["width"]):
        yield "an irregular mask leaves a part of its object's box uncovered"


def _covers(mask: bytes, box: list[float], height: int, width: int) -> bool:
    left, top, right, bottom = (int(value) for value in box)
    return bool(rle.decode(mask, height, width)[top:bottom, left:right].all())


_TASK_PROBLEMS: dict[Task, Callable[[Mapping[str, Any], Manifest], Iterator[str]]] = {
    "concepts": _concept_problems,
    "inpaint": _inpaint_problems,
    "grounding": _grounding_problems,
    "customized": _pair_problems,
    "editing": _pair_problems,
}


def _id_hash(sample_id: str) -> bytes:
    return hashlib.blake2b(sample_id.encode(), digest_size=8).digest()


def _repeated(id_hashes: bytes) -> list[Finding]:
    hashes = np.sort(np.frombuffer(id_hashes, dtype=np.uint64))
    num_repeated = int((hashes[1:] == hashes[:-1]).sum())
    return [Finding("manifest.json", "", f"{num_repeated} sample ids occur more than once")] if num_repeated else []
