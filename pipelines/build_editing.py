"""``python -m pipelines.build_editing --src omniedit``: editing data, from a dataset on disk to a manifest."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class EditingOptions:
    """Build editing data on Ray: a picture, an instruction, and the picture that it asks for; one row per pair.

    Pairs that repeat an earlier one, exactly or nearly, are rejected; those that are good by themselves are kept in
    a manifest of their own, OUT-candidates. Stopped at any time, the same command continues where it was. Any number
    of workers gives the same bytes.
    """

    src: Literal["omniedit", "magicbrush", "triplets"]
    """The dataset whose format is read; triplets is a plain folder of your own (see `datasets/triplets.py`)."""
    build: Annotated[BuildOptions, tyro.conf.OmitArgPrefixes] = BuildOptions()
    min_score: float = 0.0
    """Every score that a pair has must reach this; only OmniEdit has some, from 0 to 10."""
    pictures: Annotated[PairOptions, tyro.conf.OmitArgPrefixes] = PairOptions()

    def __post_init__(self) -> None:
        require_range(self, "min_score")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(EditingOptions, _build, args)


def _build(options: EditingOptions) -> int:
    """Build the jobs and run them."""
    out = options.build.folder("editing", options.src)
    reader = options.build.pair_reader(options.src)
    recipe = PairRecipe(
        task="editing",
        source=reader.recipe,
        seed=options.build.seed,
        policy=options.pictures.policy(min_score=options.min_score),
    )
    phases = pair_jobs(out, reader, recipe, fresh=options.build.fresh)
    return run_phases(phases, options.build, reader.root)


if __name__ == "__main__":
    sys.exit(main())
