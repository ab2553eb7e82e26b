"""The engine: stages over the parts of a source, on Ray.

Parts travel, pixels do not: workers get a part's number, read pictures themselves and commit the part's files. Every
part is a pure function of (part, recipe), so any number of workers, order, retry or restart gives the same bytes; the
driver counts commits, so that nothing can end early unnoticed. A part that fails is tried again and then set aside, and
the build ends with an error that names such parts when all others are committed.
"""

from __future__ import annotations

import errno
import gc
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

from cologen.datagen.engine.cluster import Cluster, FailurePolicy, connected
from cologen.datagen.engine.dispatch import Status, Workers, dispatched
from cologen.datagen.engine.parts import Part, Stage
from cologen.datagen.faults import described, is_fault_of_accelerator, is_fault_of_machine
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
    maps,
    save_manifest,
)
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.records import Reason

_POLICY = FailurePolicy()
_MAX_NAMED = 20  # failed parts in one message
_UNREADABLE_SHARE = 16  # at most one picture of so many may be skipped as unreadable; more is a failing disk


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


@dataclass(frozen=True, slots=True)
class PartDone:
    """Progress: the last stage's part is committed, by this run or (``reused``) by an earlier one."""

    report: PartReport
    reused: bool


@dataclass(frozen=True, slots=True)
class PartFailed:
    """A part that was set aside: why, and whether every other part would fail for the same reason."""

    index: int
    why: str
    fatal: bool = False


class PartsFailedError(RuntimeError):
    """Some parts could not be made; the message names them, the reasons, and what to do."""

    def __init__(self, failed: Sequence[PartFailed], num_parts: int, folder: Folder, gave_up: bool) -> None:
        named = [f"  part {one.index}: {one.why}" for one in failed[:_MAX_NAMED]]
        if len(failed) > _MAX_NAMED:
            named.append(f"  and {len(failed) - _MAX_NAMED:,} more")
        rest = "more than --max-failed-parts, so the build ended early" if gave_up else "all others are committed"
        super().__init__(
            f"{len(failed):,} of {num_parts:,} parts of {folder} failed; {rest}.\n"
            + "\n".join(named)
            + "\nRemove the cause and run the same command again: it continues with the parts that are missing."
        )
        self.failed = tuple(failed)


def build(
    jobs: Sequence[Job],
    cluster: Cluster,
    on_part: Callable[[PartDone], None] = lambda _: None,
    on_status: Callable[[Status], None] = lambda _: None,
) -> list[Manifest]:
    """Run the jobs over all parts, each part through them in order, and complete their manifests.

    ``on_status`` is told what is at work, about once a second.

    Raises:
        ValueError: a folder is not writable, holds another recipe's manifest or a damaged part, or is being built into;
            or a stage does not open: the message says what is missing.
        PartsFailedError: some parts were set aside (see ``FailurePolicy``); all others are committed.
        RuntimeError: Ray did not start, or ended without committing every part.
    """
    with ExitStack() as locks:
        manifests = _claimed(jobs, locks)
        num_parts = manifests[0].num_parts
        complete = all(load_manifest(job.stage.folder).complete for job in jobs)
        reports = [dict[int, PartReport]() for _ in jobs]
        failed = list[PartFailed]()
        for event in _committed(jobs, num_parts) if complete else _run(jobs, num_parts, cluster):
            if isinstance(event, Status):
                on_status(event)
            elif isinstance(event, PartFailed):
                failed.append(event)
                _check_failures(failed, num_parts, jobs[-1].stage.folder, cluster.failures)
            else:
                for stage_reports, done in zip(reports, event, strict=True):
                    stage_reports[done.report.index] = done.report
                on_part(event[-1])
        if failed:
            raise PartsFailedError(sorted(failed, key=_number), num_parts, jobs[-1].stage.folder, gave_up=False)
        return [
            _finish(job.stage, manifest, done) for job, manifest, done in zip(jobs, manifests, reports, strict=True)
        ]


def _check_failures(failed: list[PartFailed], num_parts: int, folder: Folder, policy: FailurePolicy) -> None:
    if failed[-1].fatal:
        raise ValueError(failed[-1].why)
    if len(failed) > policy.may_fail(num_parts):
        raise PartsFailedError(sorted(failed, key=_number), num_parts, folder, gave_up=True)


def _number(failed: PartFailed) -> int:
    return failed.index


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
    return name.startswith(("part-", "rejected-", maps.PREFIX))


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


def _run(jobs: Sequence[Job], num_parts: int, cluster: Cluster) -> Iterator[list[PartDone] | PartFailed | Status]:
    stages = [
        Workers(
            work=partial(_run_stage, stage=job.stage, policy=cluster.failures),
            num_actors=job.num_actors,
            num_gpus=job.num_gpus,
        )
        for job in jobs
    ]
    with connected(cluster) as ray:
        for row in dispatched(ray, stages, num_parts, cluster.failures):
            if isinstance(row, Status):
                yield row
            elif row["failure"]:
                yield PartFailed(row["id"], row["failure"], row.get("fatal", False))
            else:
                yield [
                    PartDone(PartReport.model_validate(report), reused) for report, reused in json.loads(row["done"])
                ]


def _run_stage(row: dict[str, Any], stage: Stage, policy: FailurePolicy = _POLICY) -> dict[str, Any]:
    """Commit the part unless it is committed already; ``done`` grows by this stage's report.

    What went wrong travels as ``failure``, since Ray would bury its message; ``fatal`` where it is the stage that does
    not open. Errors of the machine are tried again here, an accelerator's in another process.

    Raises:
        Exception: the accelerator's; this process cannot use it any more.
    """
    index, done = int(row["id"]), json.loads(row.get("done", "[]"))
    failed = {"id": index, "done": json.dumps(done)}
    for number in range(1, policy.tries + 1):
        time.sleep(policy.pause_before(number))
        try:
            report = committed_part(stage.folder, index)
            reused = report is not None
            if report is None:
                report = commit_part(stage.folder, index, _content(stage, index, last_try=number == policy.tries))
            return failed | {"done": json.dumps([*done, [report.model_dump(), reused]]), "failure": ""}
        except _NotOpenedError as error:
            return failed | {"failure": str(error), "fatal": True}
        except Exception as error:  # whatever it is, the other parts go on
            logging.getLogger(__name__).exception("part %d of %s, try %d", index, stage.folder, number)
            if is_fault_of_accelerator(error):
                raise
            if number == policy.tries or not is_fault_of_machine(error):
                return failed | {"failure": _why(error) + (f" ({number} tries)" if number > 1 else "")}
    raise AssertionError("the last try returns")


class _NotOpenedError(Exception):
    """The stage does not open, for this part or any other."""


def _content(stage: Stage, index: int, *, last_try: bool) -> PartContent:
    """What the stage makes of the part; on the last try without the pictures that the disk cannot read.

    Raises:
        OSError: the machine's fault, also where too many pictures cannot be read for it to be theirs.
    """
    try:
        work = _opened(stage)
    except Exception as error:
        if is_fault_of_machine(error):
            raise
        raise _NotOpenedError(_why(error)) from error
    part = replace(stage.part(index), skip_unreadable=last_try)
    content = work(part)
    unreadable = [one for one in content.rejections if one.reason == Reason.UNREADABLE]
    size = part.stop - part.start
    if last_try and len(unreadable) > max(1, size // _UNREADABLE_SHARE):
        example = f"{unreadable[0].sample_id}: {unreadable[0].detail}"
        raise OSError(errno.EIO, f"{len(unreadable)} of {size} pictures cannot be read, such as {example}")
    return content


def _why(error: Exception) -> str:
    """A user's mistake and the system's errors in their own words, ours with their place."""
    return str(error) if isinstance(error, (ValueError, OSError)) else described(error)


@lru_cache(maxsize=4)
def _opened(stage: Stage) -> Callable[[Part], PartContent]:
    work = stage.open()
    gc.freeze()  # modules and indexes stay: collections need not go through them again and again
    return work
