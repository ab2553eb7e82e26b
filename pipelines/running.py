"""What every builder does with its composed stages: run them, or say what would be run, and leave a page to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cologen.datagen.build import Job, build
from cologen.datagen.card import write_card
from cologen.datagen.report import write_report
from pipelines.console import print_plan, print_summary, progress_over, timed
from pipelines.options import BuildOptions


def run_jobs(jobs: Sequence[Job], options: BuildOptions, root: Path) -> int:
    """Build all jobs, then write report and card beside the last one's manifest and print its summary."""
    if options.dry_run:
        print_plan(jobs)
        return 0
    with timed() as seconds, progress_over(jobs[-1].stage.manifest().num_parts) as bar:
        manifests = build(jobs, options.cluster, bar)
    for job, manifest in zip(jobs, manifests, strict=True):
        write_report(job.stage.folder, manifest, root)
        write_card(job.stage.folder, manifest, synthetic=options.root is None)
    print_summary(manifests[-1], jobs[-1].stage.folder, seconds())
    return 0
