"""What every builder does with its composed stages: run them, or say what would be run, and leave a page to look at."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from cologen.datagen.engine.build import Job, build, prepare
from cologen.datagen.engine.cluster import connected
from cologen.datagen.manifest import Manifest, load_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.records import Reason
from cologen.datagen.review.card import write_card
from cologen.datagen.review.report import write_report
from pipelines.console import CONSOLE, print_plan, print_summary, progress_over, timed, working
from pipelines.options import BuildOptions


def run_jobs(jobs: Sequence[Job], options: BuildOptions, root: Path, first: Sequence[Job] = ()) -> int:
    """Build all jobs, then write report and card beside the last one's manifest and print its summary.

    Of the jobs in ``first`` every part is to be there before the others begin, which look across parts.
    """
    if options.dry_run:
        print_plan([*first, *jobs])
        return 0
    jobs = [*first, *jobs]
    with timed() as seconds:
        manifests, num_built = _in_turn(jobs, len(first), options) if first else _run(jobs, options)
    with working("drawing the report"):
        for job, manifest in zip(jobs, manifests, strict=True):
            write_report(job.stage.folder, manifest, root)
            write_card(job.stage.folder, manifest, synthetic=options.root is None)
    print_summary(manifests[-1], jobs[-1].stage.folder, seconds(), num_built)
    return _warned(manifests[-1], jobs[-1].stage.folder)


def _warned(manifest: Manifest, folder: Folder) -> int:
    """Say which rejections are no fault of the data, and return the exit code.

    0, since all else is whole; 1 if nothing is left, so that no training starts on it.
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


def _in_turn(jobs: Sequence[Job], num_first: int, options: BuildOptions) -> tuple[list[Manifest], int]:
    """Build the first of the jobs, then the others, with Ray started once, and not at all where nothing is to do."""
    jobs = prepare(jobs)
    with ExitStack() as stack:
        if not all(load_manifest(job.stage.folder).complete for job in jobs):
            with working("starting Ray"):
                stack.enter_context(connected(options.cluster))
        _run(jobs[:num_first], options)
        return _run(jobs, options)


def _run(jobs: Sequence[Job], options: BuildOptions) -> tuple[list[Manifest], int]:
    """Build under a bar of the last job's parts; returns the number of samples that were not there before, too."""
    stage = jobs[-1].stage
    CONSOLE.print(f"Building into {stage.folder}")
    with progress_over(stage.manifest().num_parts) as progress:
        manifests = build(jobs, options.cluster, progress.on_part, progress.on_status)
    return manifests, progress.made - progress.reused
