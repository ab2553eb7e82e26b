"""How pairs are built: first the candidates, which are good by themselves, then those that repeat no other."""

from __future__ import annotations

from cologen.datagen.build import Job
from cologen.datagen.stages.distinct import DistinctStage
from cologen.datagen.stages.pairs import PairRecipe
from cologen.datagen.stages.reading import PairReader
from cologen.datagen.storage import Folder
from pipelines.options import BuildOptions
from pipelines.running import run_jobs


def run_pairs(recipe: PairRecipe, reader: PairReader, options: BuildOptions, out: Folder) -> int:
    """Build into ``out``, by way of a manifest beside it whose name ends in ``-candidates``."""
    distinct = DistinctStage.over(reader, recipe, out)
    first, then = (Job(stage=stage, fresh=options.fresh) for stage in (distinct.candidates, distinct))
    return run_jobs([then], options, reader.root, first=[first])
