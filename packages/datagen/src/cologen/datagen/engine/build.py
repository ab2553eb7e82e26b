"""The engine: runs passes over the parts of a dataset on Ray.

Parts travel, pixels do not: workers get a part's number, read pictures themselves and commit the part's files. Every
part is a pure function of (part, recipe), so any number of workers, order, retry or restart gives the same bytes; the
driver counts commits, so that a build cannot end early unnoticed. A part that fails is tried again and then set aside,
and the build ends with an error that names such parts when all others are committed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from cologen.datagen.engine.claims import claimed
from cologen.datagen.engine.cluster import Cluster, FailurePolicy, connected
from cologen.datagen.engine.dispatch import Status, Workers, dispatched
from cologen.datagen.engine.jobs import Job, Pass
from cologen.datagen.engine.worker import run_part
from cologen.datagen.manifest import (
    Manifest,
    PartReport,
    committed_part,
    load_manifest,
    save_manifest,
)
from cologen.datagen.manifest.folder import Folder

_MAX_NAMED = 20  # failed parts in one message


@dataclass(frozen=True, slots=True)
class PartDone:
    """Progress: the last pass's part is committed, by this run or (``reused``) by an earlier one."""

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

    ``on_status`` is called about once a second with the parts at work.

    Raises:
        ValueError: a folder is not writable, holds another recipe's manifest or a damaged part, or is being built into;
            or a pass does not open: the message says what is missing.
        PartsFailedError: some parts were set aside (see ``FailurePolicy``); all others are committed.
        RuntimeError: Ray did not start, or ended without committing every part.
    """
    with ExitStack() as locks:
        manifests = claimed(jobs, locks)
        num_parts = manifests[0].num_parts
        complete = all(load_manifest(job.pass_.folder).complete for job in jobs)
        reports = [dict[int, PartReport]() for _ in jobs]
        failed = list[PartFailed]()
        for event in _committed(jobs, num_parts) if complete else _run(jobs, num_parts, cluster):
            if isinstance(event, Status):
                on_status(event)
            elif isinstance(event, PartFailed):
                failed.append(event)
                _check_failures(failed, num_parts, jobs[-1].pass_.folder, cluster.failures)
            else:
                for pass_reports, done in zip(reports, event, strict=True):
                    pass_reports[done.report.index] = done.report
                on_part(event[-1])
        if failed:
            raise PartsFailedError(sorted(failed, key=_number), num_parts, jobs[-1].pass_.folder, gave_up=False)
        return [
            _finish(job.pass_, manifest, done) for job, manifest, done in zip(jobs, manifests, reports, strict=True)
        ]


def _check_failures(failed: list[PartFailed], num_parts: int, folder: Folder, policy: FailurePolicy) -> None:
    if failed[-1].fatal:
        raise ValueError(failed[-1].why)
    if len(failed) > policy.may_fail(num_parts):
        raise PartsFailedError(sorted(failed, key=_number), num_parts, folder, gave_up=True)


def _number(failed: PartFailed) -> int:
    return failed.index


def _committed(jobs: Sequence[Job], num_parts: int) -> Iterator[list[PartDone]]:
    """Every part of complete manifests, checked against them, without starting Ray."""
    listed = [{part.index: part for part in load_manifest(job.pass_.folder).parts} for job in jobs]
    for index in range(num_parts):
        row = [committed_part(job.pass_.folder, index) for job in jobs]
        for job, parts, report in zip(jobs, listed, row, strict=True):
            if report is None or parts.get(index) != report:
                raise ValueError(f"part {index} in {job.pass_.folder} is not the one of its manifest: use --fresh")
        yield [PartDone(report, reused=True) for report in row if report is not None]


def _finish(pass_: Pass, manifest: Manifest, reports: dict[int, PartReport]) -> Manifest:
    missing = sorted(set(range(manifest.num_parts)) - reports.keys())
    if missing:
        raise RuntimeError(
            f"Ray ended without {len(missing)} of {manifest.num_parts} parts of {pass_.folder} "
            f"(the first is {missing[0]}). Run the same command again to continue."
        )
    manifest = manifest.finished(list(reports.values()))
    save_manifest(pass_.folder, manifest)
    return manifest


def _run(jobs: Sequence[Job], num_parts: int, cluster: Cluster) -> Iterator[list[PartDone] | PartFailed | Status]:
    workers = [
        Workers(
            work=partial(run_part, pass_=job.pass_, policy=cluster.failures),
            num_actors=job.num_actors,
            num_gpus=job.num_gpus,
        )
        for job in jobs
    ]
    with connected(cluster) as ray:
        for row in dispatched(ray, workers, num_parts, cluster.failures):
            if isinstance(row, Status):
                yield row
            elif row["failure"]:
                yield PartFailed(row["id"], row["failure"], row.get("fatal", False))
            else:
                yield [
                    PartDone(PartReport.model_validate(report), reused) for report, reused in json.loads(row["done"])
                ]
