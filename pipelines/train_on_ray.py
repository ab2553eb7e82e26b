"""``python -m pipelines.train_on_ray --workers 8 -- --recipe cologen-flux …``: the command ``train`` on a Ray cluster.

Ray Train starts the processes and connects them. When one is lost, all are started again and continue from the newest
checkpoint, as ``train --resume`` does. A mistake in the command ends it at the first try. Paths are the nodes' own:
give absolute ones, and a folder for the run (--out) that all of them see.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cologen.datagen.engine.cluster import Cluster, connected, first_line
from cologen.datagen.usage import require_gpus, require_range
from pipelines.console import CONSOLE, run


@dataclass(frozen=True, slots=True, kw_only=True)
class RayTrainOptions:
    """Run ``train`` in several processes on a Ray cluster; what comes after ``--`` is given to it."""

    workers: int = 1
    """Training processes."""
    gpus_per_worker: float = 1.0
    """GPUs of each: 1, or 0 to train on CPUs."""
    cpus_per_worker: float = 4.0
    """CPU cores of each, its loading processes included."""
    max_failures: int = 3
    """Worker restarts before the run fails."""
    storage: Path = Path("runs/ray")
    """A folder that every node sees, for Ray Train's own records."""
    address: str | None = None
    """The cluster's address, or "auto" on one of its nodes. Default: this machine alone."""

    def __post_init__(self) -> None:
        require_range(self, "workers", least=1)
        require_range(self, "cpus_per_worker", above=0)
        require_range(self, "max_failures", least=0)
        require_gpus(self, "gpus_per_worker")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    given = list(sys.argv[1:] if args is None else args)
    cut = given.index("--") if "--" in given else len(given)
    return run(RayTrainOptions, lambda options: _train(options, given[cut + 1 :]), given[:cut])


def _train(options: RayTrainOptions, arguments: Sequence[str]) -> int:
    arguments = [*arguments, *([] if "--resume" in arguments else ["--resume"])]
    _refuse(arguments)
    os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
    with connected(Cluster(address=options.address)):
        for left in reversed(range(options.max_failures + 1)):
            try:
                _fit(options, arguments)
                break
            except ProcessLostError as error:
                if not left:
                    raise
                CONSOLE.print(f"{error}. Starting again from the newest checkpoint, {left} times at most.")
    CONSOLE.print("Done: the run's own folder (--out) holds its report and what it made.")
    return 0


def _refuse(arguments: Sequence[str]) -> None:
    """Refuse wrong arguments of ``train``, as far as this machine can check them, before Ray is started."""
    from cologen.trainer import cli  # here and not above: torch takes seconds to import, and --help needs none of it
    from cologen.trainer.recipes.catalog import load_recipe

    options = cli.parsed(arguments)
    recipe = load_recipe(options.recipe, options.set)
    if options.stage is not None:
        recipe.stage(options.stage)
    if options.forecast.dry_run:
        raise ValueError("--dry-run trains nothing: give it to train itself, without Ray")


class ProcessLostError(RuntimeError):
    """A training process has died, or failed for what may be no fault of the command."""


def _fit(options: RayTrainOptions, arguments: Sequence[str]) -> None:
    """Train once, in as many processes as asked for.

    Raises:
        ValueError, FileNotFoundError: the command is wrong, as one process says; another try would end as this one.
        ProcessLostError: another try may succeed.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.train.v2.api.exceptions import TrainingFailedError

    gpus = {"GPU": options.gpus_per_worker} if options.gpus_per_worker else {}
    trainer = TorchTrainer(
        _worker,
        train_loop_config={"arguments": arguments},
        scaling_config=ScalingConfig(
            num_workers=options.workers,
            use_gpu=options.gpus_per_worker > 0,
            resources_per_worker={"CPU": options.cpus_per_worker} | gpus,
        ),
        run_config=RunConfig(
            storage_path=str(options.storage.resolve()),
            failure_config=FailureConfig(max_failures=0),  # tries are counted here, by kind of mistake
        ),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        failures = list(getattr(error, "worker_failures", {}).values())
        if mistakes := [each for each in failures if isinstance(each, ValueError | FileNotFoundError)]:
            raise mistakes[0] from error
        raise ProcessLostError(f"training failed: {first_line(failures[0] if failures else error)}") from error


def _worker(config: dict[str, Any]) -> None:
    """One training process: the same command, in the process group that Ray Train has made; its errors are raised."""
    from cologen.trainer import cli

    cli.train(cli.parsed(config["arguments"]))


if __name__ == "__main__":
    sys.exit(main())
