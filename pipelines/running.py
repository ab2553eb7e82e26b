"""What every builder does with its composed stages: run them, or say what would be run, and leave a page to look at."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from cologen.datagen.build import Job, build, connected, prepare
from cologen.datagen.card import write_card
from cologen.datagen.manifest import Manifest, load_manifest
from cologen.datagen.report import write_report
from pipelines.console import CONSOLE, print_plan, print_summary, progress_over, timed
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
        manifests = _in_turn(jobs, len(first), options) if first else _run(jobs, options)
    for job, manifest in zip(jobs, manifests, strict=True):
        write_report(job.stage.folder, manifest, root)
        write_card(job.stage.folder, manifest, synthetic=options.root is None)
    print_summary(manifests[-1], jobs[-1].stage.folder, seconds())
    return 0


def _in_turn(jobs: Sequence[Job], num_first: int, options: BuildOptions) -> list[Manifest]:
    """Build the first of the jobs, then the others, with Ray started once, and not at all where nothing is to do."""
    jobs = prepare(jobs)
    complete = all(load_manifest(job.stage.folder).complete for job in jobs)
    with nullcontext() if complete else connected(options.cluster):
        _run(jobs[:num_first], options)
        return _run(jobs, options)


def _run(jobs: Sequence[Job], options: BuildOptions) -> list[Manifest]:
    """Build under a bar of the last job's parts."""
    stage = jobs[-1].stage
    CONSOLE.print(f"Building into {stage.folder}")
    with progress_over(stage.manifest().num_parts) as bar:
        return build(jobs, options.cluster, bar)
