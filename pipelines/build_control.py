"""``python -m pipelines.build_control --src multigen``: control data, from a dataset on disk to a manifest."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cologen.datagen.passes.control import ControlRecipe
from cologen.datagen.passes.task_jobs import control_jobs
from pipelines.console import run
from pipelines.control_options import ControlOptions
from pipelines.running import run_phases


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(ControlOptions, _build, args)


def _build(options: ControlOptions) -> int:
    """Build the jobs and run them."""
    out = options.build.folder("control", options.src)
    reader = options.build.condition_reader(options.src)
    policy = options.conditions.policy(options.maps.available(reader.open().kinds))
    weights = options.maps.weights(policy.mix)
    recipe = ControlRecipe(
        source=reader.recipe,
        seed=options.build.seed,
        policy=policy,
        maps=weights.recipe(options.maps.batch_size),
    )
    phases = control_jobs(
        out,
        reader,
        recipe,
        weights,
        num_actors=options.maps.actors,
        num_gpus=options.maps.gpus_per_actor,
        fresh=options.build.fresh,
    )
    return run_phases(phases, options.build, reader.root)


if __name__ == "__main__":
    sys.exit(main())
