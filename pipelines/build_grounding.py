"""``python -m pipelines.build_grounding --src refcoco``: image-grounding data, from a dataset on disk to a manifest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from cologen.datagen.grounding.policy import GroundingPolicy, ReferringMix
from cologen.datagen.passes.grounding import GroundingRecipe
from cologen.datagen.passes.task_jobs import grounding_jobs
from cologen.datagen.usage import refusals_named, require_range
from pipelines.console import run
from pipelines.options import BuildOptions
from pipelines.running import run_phases


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundingOptions:
    """Build image-grounding data on Ray: box, mask and instance referring, one row per sample.

    Stopped at any time, the same command continues where it was. Any number of workers gives the same bytes.
    """

    src: Literal["refcoco", "refcoco+", "refcocog", "lvis"]
    """The dataset whose format is read. LVIS has no expressions: its classes are referred to by their names."""
    build: Annotated[BuildOptions, tyro.conf.OmitArgPrefixes] = BuildOptions()
    mix: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    """Shares of box, mask and instance referring."""
    variants: int = 1
    """Samples per picture."""
    all_instances: float = 0.2
    """How often a whole class is meant in box and mask samples of pictures that have expressions too."""
    negative: float = 0.0
    """Share of samples that ask for something known to be absent; the picture stays as it is."""
    inverse: float = 0.0
    """Share of samples that ask for marks to be removed."""
    contrast: bool = True
    """Without this flag, only colours that can be seen where the mark goes; with it, any."""

    def __post_init__(self) -> None:
        require_range(self, "variants", least=1)
        with refusals_named():
            _ = self.policy

    @property
    def policy(self) -> GroundingPolicy:
        """The same as a part of the recipe."""
        box, mask, instance = self.mix
        return GroundingPolicy(
            mix=ReferringMix(box=box, mask=mask, instance=instance),
            all_instances=self.all_instances,
            negative=self.negative,
            inverse=self.inverse,
        )


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(GroundingOptions, _build, args)


def _build(options: GroundingOptions) -> int:
    """Build the jobs and run them."""
    out = options.build.folder("grounding", options.src)
    reader = options.build.reader(options.src)
    recipe = GroundingRecipe(
        source=reader.recipe,
        seed=options.build.seed,
        variants=options.variants,
        policy=options.policy,
        contrast=options.contrast,
    )
    phases = grounding_jobs(out, reader, recipe, fresh=options.build.fresh)
    return run_phases(phases, options.build, reader.root)


if __name__ == "__main__":
    sys.exit(main())
