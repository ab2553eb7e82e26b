"""How pairs are built: first the candidates, which are good by themselves, then those that repeat no other."""

from __future__ import annotations

from cologen.datagen.engine.build import Job
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.pair_records import Pair
from cologen.datagen.passes.distinct import DistinctStage
from cologen.datagen.passes.pairs import PairRecipe
from cologen.datagen.passes.reading import Reader
from pipelines.options import BuildOptions
from pipelines.running import run_jobs


def run_pairs(recipe: PairRecipe, reader: Reader[Pair], options: BuildOptions, out: Folder) -> int:
    """Build into ``out``, by way of a manifest beside it whose name ends in ``-candidates``."""
    distinct = DistinctStage.over(reader, recipe, out)
    first, then = (Job(stage=stage, fresh=options.fresh) for stage in (distinct.candidates, distinct))
    return run_jobs([then], options, reader.root, first=[first])
