"""The engine: stages over the parts of a source, on Ray.

Parts travel, pixels do not: a row of the Ray dataset is a part's number, workers read pictures themselves and commit
the part's files. Every part is a pure function of (part, recipe), so any number of workers, order, retry or restart
gives the same bytes; the driver counts commits, so that nothing can end early unnoticed.
"""

from __future__ import annotations

import gc
import json
import logging
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from types import ModuleType
from typing import Any

from cologen.datagen import control_maps
from cologen.datagen.manifest import (
    CARD_NAME,
    MANIFEST_NAME,
    REPORT_NAME,
    Manifest,
    PartContent,
    PartReport,
    commit_part,
    committed_part,
    load_manifest,
    save_manifest,
)
from cologen.datagen.parts import Part, Stage
from cologen.datagen.storage import Folder

NO_PROGRESS_SECONDS = 900  # Ray's default of 30 minutes is a long time to learn that a worker hangs


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A stage and the workers it runs on.

    Without ``num_actors`` it runs as tasks of one CPU; with it, in a pool of that many actors with ``num_gpus`` each,
    which load their weights once.
    """

    stage: Stage
    num_actors: int | None = None
    num_gpus: float = 0.0
    fresh: bool = False
    """Start over: forget the parts that an earlier run committed, whatever its recipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where to run: a Ray address, or None for a cluster of this machine alone with ``num_cpus`` (None: all)."""

    address: str | None = None
    num_cpus: int | None = None


@dataclass(frozen=True, slots=True)
class PartDone:
    """Progress: the last stage's part is committed, by this run or (``reused``) by an earlier one."""

    report: PartReport
    reused: bool


def build(
    jobs: Sequence[Job], cluster: Cluster, on_part: Callable[[PartDone], None] = lambda _: None
) -> list[Manifest]:
    """Run the jobs over all parts, each part through them in order, and complete their manifests.

    Raises:
        ValueError: a folder is not writable, holds another recipe's manifest or a damaged part, or is being built into.
        RuntimeError: Ray ended without committing every part.
    """
    with ExitStack() as locks:
        manifests = _claimed(jobs, locks)
        num_parts = manifests[0].num_parts
        complete = all(load_manifest(job.stage.folder).complete for job in jobs)
        reports = [dict[int, PartReport]() for _ in jobs]
        for row in _committed(jobs, num_parts) if complete else _run(jobs, num_parts, cluster):
            for stage_reports, done in zip(reports, row, strict=True):
                stage_reports[done.report.index] = done.report
            on_part(row[-1])
        return [
            _finish(job.stage, manifest, done) for job, manifest, done in zip(jobs, manifests, reports, strict=True)
        ]


def prepare(jobs: Sequence[Job]) -> list[Job]:
    """See that all folders can be built into and empty those that start over; returns the jobs, to be continued.

    For jobs that are built one after the other, so that the last does not refuse its folder when the first is done.

    Raises:
        ValueError: as ``build``.
    """
    with ExitStack() as locks:
        _claimed(jobs, locks)
    return [replace(job, fresh=False) for job in jobs]


def _claimed(jobs: Sequence[Job], locks: ExitStack) -> list[Manifest]:
    manifests = [_claim(job, locks) for job in jobs]
    for job, manifest in zip(jobs, manifests, strict=True):
        _prepare(job, manifest)
    return manifests


def _claim(job: Job, locks: ExitStack) -> Manifest:
    """Lock the folder and see that it is this recipe's: new, continued, or (``fresh``) about to be emptied."""
    folder, manifest = job.stage.folder, job.stage.manifest()
    folder.create()
    locks.enter_context(folder.locked())
    visible = [name for name in folder.names() if not name.startswith(".")]
    if visible and MANIFEST_NAME not in visible:
        raise ValueError(f"{folder} holds {visible[0]} but no {MANIFEST_NAME}. Choose an empty --out.")
    if visible and not job.fresh and any(map(_is_part, visible)):
        _refuse_other_recipe(folder, load_manifest(folder), manifest)
    return manifest


def _prepare(job: Job, manifest: Manifest) -> None:
    """Sweep the folder, empty it if it starts over, and leave the manifest to be filled."""
    folder = job.stage.folder
    folder.sweep()
    known = load_manifest(folder).recipe_hash if folder.exists(MANIFEST_NAME) and not job.fresh else None
    if known != manifest.recipe_hash:
        for name in folder.names():
            if name in (REPORT_NAME, CARD_NAME) or _is_part(name):
                folder.delete(name)
        save_manifest(folder, manifest)


def _is_part(name: str) -> bool:
    return name.startswith(("part-", "rejected-", control_maps.PREFIX))


def _refuse_other_recipe(folder: Folder, found: Manifest, asked: Manifest) -> None:
    if found.recipe_hash == asked.recipe_hash:
        return
    before, now = _flat(found.recipe), _flat(asked.recipe)
    changes = [
        f"  {name}: {before.get(name, 'absent')} there, {now.get(name, 'absent')} now"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    raise ValueError(
        f"{folder} was made by another recipe:\n"
        + "\n".join(changes)
        + "\nChoose another --out, or start over with --fresh (for concepts: --fresh-concepts)."
    )


def _flat(recipe: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in recipe.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _committed(jobs: Sequence[Job], num_parts: int) -> Iterator[list[PartDone]]:
    """Every part of complete manifests, checked against them, without starting Ray."""
    listed = [{part.index: part for part in load_manifest(job.stage.folder).parts} for job in jobs]
    for index in range(num_parts):
        row = [committed_part(job.stage.folder, index) for job in jobs]
        for job, parts, report in zip(jobs, listed, row, strict=True):
            if report is None or parts.get(index) != report:
                raise ValueError(f"part {index} in {job.stage.folder} is not the one of its manifest: use --fresh")
        yield [PartDone(report, reused=True) for report in row if report is not None]


def _finish(stage: Stage, manifest: Manifest, reports: dict[int, PartReport]) -> Manifest:
    missing = sorted(set(range(manifest.num_parts)) - reports.keys())
    if missing:
        raise RuntimeError(
            f"Ray ended without {len(missing)} of {manifest.num_parts} parts of {stage.folder} "
            f"(the first is {missing[0]}). Run the same command again to continue."
        )
    manifest = manifest.finished(list(reports.values()))
    save_manifest(stage.folder, manifest)
    return manifest


def _run(jobs: Sequence[Job], num_parts: int, cluster: Cluster) -> Iterator[list[PartDone]]:
    with connected(cluster) as ray:
        dataset = ray.data.range(num_parts, override_num_blocks=num_parts)
        for job in jobs:
            dataset = _append(ray, dataset, job)
        for row in dataset.iter_rows():
            if row["failure"]:
                raise ValueError(row["failure"])
            yield [PartDone(PartReport.model_validate(report), reused) for report, reused in json.loads(row["done"])]


def _append(ray: ModuleType, dataset: Any, job: Job) -> Any:
    if job.num_actors is None:
        return dataset.map(_run_stage, fn_args=(job.stage,), num_cpus=1)
    return dataset.map(
        _StageActor,
        fn_constructor_args=(job.stage,),
        compute=ray.data.ActorPoolStrategy(size=job.num_actors),
        num_cpus=1,
        num_gpus=job.num_gpus,
    )


@contextmanager
def connected(cluster: Cluster) -> Generator[ModuleType, None, None]:
    """Ray, joined to the cluster for the length of the block; inside another such block that one's cluster."""
    # Otherwise Ray under `uv run` copies the working folder and builds a second environment for its workers.
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    if cluster.address is None:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray's name for "listen on the loopback only"
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.WARNING)
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)
    logging.getLogger("ray._private").setLevel(logging.ERROR)
    already = ray.is_initialized()
    if not already and cluster.address:
        ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.WARNING)
    elif not already:
        ray.init(
            address="local",
            num_cpus=cluster.num_cpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.WARNING,
            _node_ip_address="127.0.0.1",
        )
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_no_progress_timeout_s = NO_PROGRESS_SECONDS
    try:
        yield ray
    finally:
        if not already:
            ray.shutdown()


class _StageActor:
    """A process of its own for a stage; what the stage loads with its first part stays loaded."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return _run_stage(row, self._stage)


def _run_stage(row: dict[str, Any], stage: Stage) -> dict[str, Any]:
    """Commit the part unless it is committed already; ``done`` grows by this stage's report.

    A user's mistake (a missing file of weights, a full disk) travels as ``failure``: Ray would bury its message. Where
    it came from stands in the worker's log, for the case that the mistake is ours.
    """
    index, done = int(row["id"]), json.loads(row.get("done", "[]"))
    if row.get("failure"):
        return row
    try:
        report = committed_part(stage.folder, index)
        reused = report is not None
        if report is None:
            report = commit_part(stage.folder, index, _opened(stage)(stage.part(index)))
    except (ValueError, OSError) as error:
        logging.getLogger(__name__).exception("part %d of %s", index, stage.folder)
        return {"id": index, "done": json.dumps(done), "failure": f"part {index}: {error}"}
    return {"id": index, "done": json.dumps([*done, [report.model_dump(), reused]]), "failure": ""}


@lru_cache(maxsize=4)
def _opened(stage: Stage) -> Callable[[Part], PartContent]:
    work = stage.open()
    gc.freeze()  # modules and indexes stay: collections need not go through them again and again
    return work
