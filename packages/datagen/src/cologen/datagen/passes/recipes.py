"""The recipe of any manifest, read back from ``manifest.json``: validated, with the shares it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cologen.datagen.manifest.schemas import Task
from cologen.datagen.passes.control import ControlRecipe
from cologen.datagen.passes.distinct import DistinctRecipe
from cologen.datagen.passes.grounding import GroundingRecipe
from cologen.datagen.passes.inpaint import InpaintRecipe
from cologen.datagen.passes.pairs import PairRecipe
from cologen.datagen.passes.segmenters import ConceptRecipe

Recipe = ConceptRecipe | InpaintRecipe | GroundingRecipe | ControlRecipe | PairRecipe

_RECIPES: dict[Task, type[Recipe]] = {
    "concepts": ConceptRecipe,
    "inpaint": InpaintRecipe,
    "grounding": GroundingRecipe,
    "control": ControlRecipe,
}


def recipe_of(task: Task, values: Mapping[str, Any]) -> Recipe:
    """The recipe of a manifest of ``task``; candidates of pairs have no rule about repetitions, finished pairs do.

    Raises:
        ValueError: the values are not a whole recipe of this task.
    """
    recipe = _RECIPES.get(task, DistinctRecipe if "repeats" in values else PairRecipe)
    found = recipe.model_validate(dict(values))
    if found.model_dump(mode="json") != values:
        raise ValueError("fields are missing")
    return found
