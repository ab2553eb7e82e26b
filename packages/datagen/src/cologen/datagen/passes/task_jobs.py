"""From a task to the jobs that build its manifest, in phases.

The jobs of a phase run together, part by part; a phase begins when the one before it is complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cologen.datagen.control.policy import ConditionMix, ControlPolicy
from cologen.datagen.engine.jobs import Job
from cologen.datagen.grounding.policy import GroundingPolicy
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.schemas import TrainedTask
from cologen.datagen.pair_records import Condition, Pair
from cologen.datagen.passes.concepts import ConceptPass
from cologen.datagen.passes.control import ControlPass, ControlRecipe
from cologen.datagen.passes.distinct import DistinctPass
from cologen.datagen.passes.grounding import GroundingPass, GroundingRecipe
from cologen.datagen.passes.inpaint import InpaintRecipe, MaskPass
from cologen.datagen.passes.map_networks import MapWeights
from cologen.datagen.passes.pairs import PairRecipe
from cologen.datagen.passes.reading import Reader
from cologen.datagen.records import Image

Phases = Sequence[Sequence[Job]]


def default_jobs(
    task: TrainedTask,
    dataset: str,
    root: Path,
    folder: Folder,
    part_size: int,
    split: str = "train",
    marks: GroundingPolicy | None = None,
) -> Phases:
    """The jobs of a task over a split of a dataset with default options; masks need a dataset with objects.

    Args:
        marks: how grounding marks objects, where not by default.
    """
    read = (dataset, root, split, part_size, None)
    if task == "inpaint":
        reader = Reader.of(Image, *read)
        return inpaint_jobs(folder, reader, InpaintRecipe(source=reader.recipe))
    if task == "grounding":
        reader = Reader.of(Image, *read)
        policy = marks or GroundingPolicy()
        return grounding_jobs(folder, reader, GroundingRecipe(source=reader.recipe, policy=policy))
    if task == "control":
        reader = Reader.of(Condition, *read)
        # Canny and the dataset's own maps: HED and lineart need weights.
        policy = ControlPolicy(mix=ConditionMix.equal(("canny", *reader.open().kinds)))
        return control_jobs(folder, reader, ControlRecipe(source=reader.recipe, policy=policy), MapWeights())
    reader = Reader.of(Pair, *read)
    return pair_jobs(folder, reader, PairRecipe(task=task, source=reader.recipe))


def inpaint_jobs(
    folder: Folder, reader: Reader[Image], recipe: InpaintRecipe, concepts: Job | None = None, *, fresh: bool = False
) -> Phases:
    """Masks, over objects that ``concepts`` finds first where the dataset has none."""
    found = concepts.pass_ if concepts else None
    assert found is None or isinstance(found, ConceptPass)
    masks = Job(pass_=MaskPass(folder=folder, recipe=recipe, reader=reader, concepts=found), fresh=fresh)
    return [[concepts, masks] if concepts else [masks]]


def grounding_jobs(folder: Folder, reader: Reader[Image], recipe: GroundingRecipe, *, fresh: bool = False) -> Phases:
    """Marks on pictures."""
    return [[Job(pass_=GroundingPass(folder=folder, recipe=recipe, reader=reader), fresh=fresh)]]


def control_jobs(
    folder: Folder,
    reader: Reader[Condition],
    recipe: ControlRecipe,
    weights: MapWeights,
    *,
    num_actors: int = 1,
    num_gpus: float = 0.0,
    fresh: bool = False,
) -> Phases:
    """Conditions, on actors where there are weights to hold."""
    control = ControlPass(folder=folder, recipe=recipe, reader=reader, weights=weights)
    actors = num_actors if recipe.maps.kinds else None
    return [[Job(pass_=control, num_actors=actors, num_gpus=num_gpus, fresh=fresh)]]


def pair_jobs(folder: Folder, reader: Reader[Pair], recipe: PairRecipe, *, fresh: bool = False) -> Phases:
    """Candidates, which are good by themselves, in a manifest beside ``folder``; then those that repeat no other."""
    distinct = DistinctPass.over(reader, recipe, folder)
    return [[Job(pass_=pass_, fresh=fresh)] for pass_ in (distinct.candidates, distinct)]
