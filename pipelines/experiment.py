"""``python -m pipelines.experiment table5 --scale tiny``: train all runs of an experiment, measure them, report."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from cologen.datagen.manifest.folder import Folder
from cologen.datagen.usage import require_range
from cologen.trainer.data.world import WORLD, ensure_manifests
from pipelines.console import CONSOLE, progress_over_count, run
from pipelines.experiment_figures import figures_of
from pipelines.experiment_plan import ExperimentName, ExperimentRun, Scale, planned
from pipelines.experiment_report import write_report
from pipelines.experiment_results import read_figures
from pipelines.experiment_steps import (
    Evaluation,
    Setting,
    at_work,
    evaluate_run,
    evaluations,
    is_trained,
    settle,
    train_run,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Repeat an experiment of the paper on the synthetic dataset.

    Trains every run that is not finished, asks its adapter the held-out questions of all five tasks, and writes tables,
    plots and pictures. Run it again to continue: finished runs and figures are kept.
    """

    experiment: Annotated[ExperimentName, tyro.conf.Positional]
    """table5: which pre-training stages, staged or at once, at equal samples; and, not of the paper, staged with replay
    of earlier tasks, with one veteran gate (replay) or one for each task (gated-replay). figure4: α, rank and ρ."""
    scale: Scale = "tiny"
    """tiny: variants of the recipe world, for CPUs. small: of world-small, for a GPU; give its --base."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Every row is trained once with each."""
    rows: tuple[str, ...] = ()
    """Only these rows, such as staged co-training; of figure4, such as alpha-0.1 rank-8 rho-0.6. Default: all."""
    also: tuple[Path, ...] = ()
    """Files results.json of the same experiment from elsewhere, such as of other seeds on another machine: their runs
    are in the tables too."""
    set: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Override a field of the recipe that is varied, as in train."""
    base: Path | None = None
    """Weights of the base. Default: the bundled one; scale small has none."""
    data: Path = Path("data")
    """The folder of the manifests; they are built if they are missing."""
    out: Path | None = None
    """Folder of all runs and results. Default: runs/experiments/EXPERIMENT-SCALE."""
    items: int = 120
    """Held-out questions of each task."""
    steps: int | None = None
    """Denoising steps. Default: the base's own."""
    edits_seed: int = 0
    """Which held-out scenes, and what is asked of them."""
    jobs: int | None = None
    """Runs at work side by side, which share the CPU's cores evenly. Default: one for each core; at scale small, whose
    runs share a GPU, one."""
    dry_run: bool = False
    """Print the runs, what is left of each, and train nothing."""

    def __post_init__(self) -> None:
        require_range(self, "items", "jobs", least=1)
        require_range(self, "steps", least=1)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError(f"--seeds are one or more different numbers from 0, got {self.seeds}")

    def setting(self, preset: str) -> Setting:
        """What all runs share."""
        return Setting(
            out=self.out or Path("runs", "experiments", f"{self.experiment}-{self.scale}"),
            experiment=self.experiment,
            scale=self.scale,
            data=self.data,
            preset=preset,
            base=self.base,
            num_items=self.items,
            steps=self.steps,
            edits_seed=self.edits_seed,
            threads=max(1, (os.cpu_count() or 1) // self.num_jobs),
            device="cpu" if self.scale == "tiny" else "auto",
        )

    @property
    def num_jobs(self) -> int:
        """Runs side by side."""
        return self.jobs or ((os.cpu_count() or 1) if self.scale == "tiny" else 1)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(Options, _experiment, args)


def _experiment(options: Options) -> int:
    all_runs = planned(options.experiment, options.scale, options.seeds, options.set)
    runs = _chosen(options, all_runs)
    setting = options.setting(runs[0].recipe.preset)
    elsewhere = read_figures(options.also, all_runs, runs, setting.identity)
    if options.dry_run:
        return _dry_run(runs, setting)
    folder = Folder.open(setting.out)
    folder.create()
    with folder.locked("experimenting in"):
        manifests = (each.recipe.manifests_of(range(len(each.recipe.stages))) for each in runs)
        names = tuple(dict.fromkeys(name for each in manifests for name in each))
        ensure_manifests(setting.data, names, WORLD, CONSOLE.print, workers=os.cpu_count() or 1)
        settle(setting)
        _work(runs, setting, options.num_jobs)
        tables = write_report([figures_of(each, setting.out) for each in runs], elsewhere, setting)
    CONSOLE.print(f"Done. {tables} holds the tables; plots and pictures are beside it.")
    return 0


def _chosen(options: Options, runs: Sequence[ExperimentRun]) -> tuple[ExperimentRun, ...]:
    """The planned runs of the rows that were asked for, and the parents of these."""
    known = list(dict.fromkeys(each.row for each in runs))
    if unknown := [row for row in options.rows if row not in known]:
        raise ValueError(f"--rows: {options.experiment} has no row {unknown[0]!r}; it has {', '.join(known)}")
    if not options.rows:
        return tuple(runs)
    wanted = [each for each in runs if each.row in options.rows]
    parents = {each.parent for each in wanted}
    return tuple(each for each in runs if each in wanted or (each.name in parents and each.same_as is None))


def _dry_run(runs: Sequence[ExperimentRun], setting: Setting) -> int:
    distinct = _distinct(runs)
    for each in distinct:
        left = "trained" if is_trained(each, setting.out) else "to be trained"
        stages = " → ".join(f"{stage.task} {stage.iterations:,}" for stage in each.recipe.stages)
        after = f", after {each.parent}@{each.begins_at}" if each.parent else ""
        CONSOLE.print(f"{each.name}: {left}, {each.recipe.total_samples:,} samples: {stages}{after}")
    num_evaluations = sum(len(evaluations(each)) for each in distinct)
    CONSOLE.print(f"Runs: {len(distinct)}. Evaluations: {num_evaluations}. Folder: {setting.out}")
    return 0


def _distinct(runs: Sequence[ExperimentRun]) -> list[ExperimentRun]:
    """One of those that share a folder."""
    return list({each.name: each for each in reversed(runs)}.values())[::-1]


def _work(all_runs: Sequence[ExperimentRun], setting: Setting, jobs: int) -> None:
    """Train all runs, parents first, and measure them: evaluations fill the time in which the last runs train."""
    runs = _distinct(all_runs)
    total = sum(1 + len(evaluations(each)) for each in runs)
    with progress_over_count(total, "experiment", "steps") as advance, at_work(jobs) as (pool, children):

        def train(one: ExperimentRun, parent: Future[None] | None) -> None:
            if parent is not None:
                parent.result()
            if train_run(one, setting, children):
                CONSOLE.print(f"trained {one.name}")
            advance(1)

        def measure(one: Evaluation, trained: Future[None]) -> None:
            trained.result()
            evaluate_run(one, setting, children)
            advance(1)

        trained: dict[str, Future[None]] = {}
        for one in runs:
            trained[one.name] = pool.submit(train, one, trained.get(one.parent or ""))
        measured = [pool.submit(measure, each, trained[one.name]) for one in runs for each in evaluations(one)]
        for future in (*trained.values(), *measured):
            future.result()


if __name__ == "__main__":
    sys.exit(main())
