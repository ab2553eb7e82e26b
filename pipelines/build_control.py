"""``python -m pipelines.build_control --src multigen``: control data, from a dataset on disk to a manifest."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cologen.datagen.engine.build import Job
from cologen.datagen.passes.control import ControlRecipe, ControlStage
from pipelines.console import run
from pipelines.control_options import ControlOptions
from pipelines.running import run_jobs


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(ControlOptions, _build, args)


def _build(options: ControlOptions) -> int:
    """Compose the stage and run it, on actors where there are weights to hold."""
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
    stage = ControlStage(folder=out, recipe=recipe, reader=reader, weights=weights)
    job = Job(
        stage=stage,
        num_actors=options.maps.actors if recipe.maps.kinds else None,
        num_gpus=options.maps.gpus_per_actor,
        fresh=options.build.fresh,
    )
    return run_jobs([job], options.build, reader.root)


if __name__ == "__main__":
    sys.exit(main())
