"""``python -m pipelines.build_customized --src subjects200k``: two pictures of one subject, as a manifest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from cologen.datagen.passes.pairs import PairRecipe
from cologen.datagen.passes.task_jobs import pair_jobs
from cologen.datagen.usage import require_range
from pipelines.console import run
from pipelines.options import BuildOptions, PairOptions
from pipelines.running import run_phases

NUM_SCORES = 3
"""Subjects200K judges composition, the subject's consistency and the picture's quality, each from 0 to 5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomizedOptions:
    """Build customized-generation data on Ray: a subject in one picture, and words for another; in both directions.

    Pairs that repeat an earlier one, exactly or nearly, are rejected; those that are good by themselves are kept in
    a manifest of their own, OUT-candidates. Stopped at any time, the same command continues where it was. Any number
    of workers gives the same bytes.
    """

    src: Literal["subjects200k"] = "subjects200k"
    """The dataset whose format is read."""
    build: Annotated[BuildOptions, tyro.conf.OmitArgPrefixes] = BuildOptions()
    min_score: float = 5.0
    """Each of the three scores must reach this; a pair without scores is rejected."""
    pictures: Annotated[PairOptions, tyro.conf.OmitArgPrefixes] = PairOptions()

    def __post_init__(self) -> None:
        require_range(self, "min_score")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(CustomizedOptions, _build, args)


def _build(options: CustomizedOptions) -> int:
    """Build the jobs and run them."""
    out = options.build.folder("customized", options.src)
    reader = options.build.pair_reader(options.src)
    recipe = PairRecipe(
        task="customized",
        source=reader.recipe,
        seed=options.build.seed,
        policy=options.pictures.policy(num_scores=NUM_SCORES, min_score=options.min_score),
    )
    phases = pair_jobs(out, reader, recipe, fresh=options.build.fresh)
    return run_phases(phases, options.build, reader.root)


if __name__ == "__main__":
    sys.exit(main())
