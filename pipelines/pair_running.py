"""How pairs are built: first the candidates, which are good by themselves, then those that repeat no other."""

from __future__ import annotations

from cologen.datagen.build import Job
from cologen.datagen.stages.distinct import DistinctRecipe, DistinctStage
from cologen.datagen.stages.pairs import PairRecipe, PairStage
from cologen.datagen.stages.reading import PairReader
from cologen.datagen.storage import Folder
from pipelines.options import BuildOptions
from pipelines.running import run_jobs


def run_pairs(recipe: PairRecipe, reader: PairReader, options: BuildOptions, out: Folder) -> int:
    """Build into ``out``, by way of a manifest beside it whose name ends in ``-candidates``."""
    candidates = PairStage(folder=out.sibling("-candidates"), recipe=recipe, reader=reader)
    distinct = DistinctStage(folder=out, recipe=DistinctRecipe(**dict(recipe)), candidates=candidates)
    first, then = (Job(stage=stage, fresh=options.fresh) for stage in (candidates, distinct))
    return run_jobs([then], options, reader.root, first=[first])
