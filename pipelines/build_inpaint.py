"""``python -m pipelines.build_inpaint --src journeydb``: mask-inpainting data, from a dataset on disk to a manifest."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cologen.datagen.passes.inpaint import InpaintRecipe
from cologen.datagen.passes.task_jobs import inpaint_jobs
from pipelines.console import run
from pipelines.inpaint_options import InpaintOptions
from pipelines.running import run_phases


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(InpaintOptions, _build, args)


def _build(options: InpaintOptions) -> int:
    """Build the jobs and run them."""
    out = options.build.folder("inpaint", options.src)
    reader = options.build.reader(options.src)
    concepts = None if reader.open().annotated else options.concepts.pass_(reader, out)
    recipe = InpaintRecipe(
        source=reader.recipe,
        concepts=concepts and concepts.recipe,
        seed=options.build.seed,
        variants=options.masks.variants,
        policy=options.masks.policy,
    )
    first = concepts and options.concepts.job(concepts)
    phases = inpaint_jobs(out, reader, recipe, first, fresh=options.build.fresh)
    return run_phases(phases, options.build, reader.root)


if __name__ == "__main__":
    sys.exit(main())
