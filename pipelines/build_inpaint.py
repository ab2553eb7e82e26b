"""``python -m pipelines.build_inpaint --src journeydb``: mask-inpainting data, from a dataset on disk to a manifest."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cologen.datagen.build import Job, build
from cologen.datagen.report import write_report
from cologen.datagen.stages.inpaint import InpaintRecipe, MaskStage
from pipelines.console import print_plan, print_summary, progress_over, run, timed
from pipelines.inpaint_options import InpaintOptions


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(InpaintOptions, _build, args)


def _build(options: InpaintOptions) -> int:
    """Compose the stages, run them, and show what was made."""
    out = options.build.folder("inpaint", options.src)
    reader = options.build.reader(options.src)
    concepts = None if reader.open().annotated else options.concepts.stage(reader, out)
    recipe = InpaintRecipe(
        source=reader.recipe,
        concepts=concepts and concepts.recipe,
        seed=options.build.seed,
        variants=options.masks.variants,
        policy=options.masks.policy,
    )
    masks = MaskStage(folder=out, recipe=recipe, reader=reader, concepts=concepts)
    jobs = [options.concepts.job(concepts)] if concepts else []
    jobs.append(Job(stage=masks, fresh=options.build.fresh))
    if options.build.dry_run:
        print_plan(jobs)
        return 0
    with timed() as seconds, progress_over(reader.recipe.num_parts) as bar:
        manifest = build(jobs, options.build.cluster, bar)[-1]
    write_report(out, manifest, reader.root)
    print_summary(manifest, out, seconds())
    return 0


if __name__ == "__main__":
    sys.exit(main())
