"""What every builder does with its jobs: run them or print what would run, then write report and card."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from cologen.datagen.engine.build import build
from cologen.datagen.engine.claims import prepare
from cologen.datagen.engine.cluster import connected
from cologen.datagen.engine.jobs import Job
from cologen.datagen.manifest import Manifest, load_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.passes.task_jobs import Phases
from cologen.datagen.records import Reason
from cologen.datagen.review.card import write_card
from cologen.datagen.review.report import write_report
from pipelines.console import CONSOLE, print_plan, print_summary, progress_over, timed, working
from pipelines.options import BuildOptions


def run_phases(phases: Phases, options: BuildOptions, root: Path) -> int:
    """Build all jobs, write a report and a card beside each manifest, and print the last one's summary."""
    jobs = [job for phase in phases for job in phase]
    if options.dry_run:
        print_plan(jobs)
        return 0
    with timed() as seconds:
        manifests, num_built = _built(phases, options)
    with working("drawing the report"):
        for job, manifest in zip(jobs, manifests, strict=True):
            write_report(job.pass_.folder, manifest, root)
            write_card(job.pass_.folder, manifest, synthetic=options.root is None)
    print_summary(manifests[-1], jobs[-1].pass_.folder, seconds(), num_built)
    return _warned(manifests[-1], jobs[-1].pass_.folder)


def _warned(manifest: Manifest, folder: Folder) -> int:
    """Print which rejections are not the data's fault, and return the exit code.

    0, since all other samples are usable; 1 if there are none, so that no training starts on it.
    """
    errors, unreadable = (manifest.rejected.get(reason, 0) for reason in (Reason.INTERNAL_ERROR, Reason.UNREADABLE))
    where = f"see the rows of that reason in {folder}/rejected-*.parquet, column detail"
    if errors:
        CONSOLE.print(f"Warning: {errors:,} rejected as internal_error, by errors that nobody foresaw: {where}.")
    if unreadable:
        CONSOLE.print(
            f"Warning: {unreadable:,} rejected as unreadable, since the disk failed to read them: {where}. "
            "Once it reads them again, --fresh takes them too."
        )
    if not manifest.rows:
        CONSOLE.print("Warning: no sample is left. The report says why each was rejected.")
    return 1 if (errors or unreadable) and not manifest.rows else 0


def _built(phases: Phases, options: BuildOptions) -> tuple[list[Manifest], int]:
    """The manifests of all jobs, and how many samples of the last one were not there before.

    Ray is started once for all phases, and not at all where nothing is left to do.
    """
    if len(phases) == 1:
        return _run(phases[0], options)
    phases = [prepare(phase) for phase in phases]
    manifests, num_built = list[Manifest](), 0
    with ExitStack() as stack:
        if not all(load_manifest(job.pass_.folder).complete for phase in phases for job in phase):
            with working("starting Ray"):
                stack.enter_context(connected(options.cluster))
        for phase in phases:
            of_phase, num_built = _run(phase, options)
            manifests += of_phase
    return manifests, num_built


def _run(jobs: Sequence[Job], options: BuildOptions) -> tuple[list[Manifest], int]:
    """Build one phase under a bar of its last job's parts."""
    last = jobs[-1].pass_
    CONSOLE.print(f"Building into {last.folder}")
    with progress_over(last.manifest().num_parts) as progress:
        manifests = build(jobs, options.cluster, progress.on_part, progress.on_status)
    return manifests, progress.made - progress.reused
