"""Every prompt that the stages of a recipe can ask for.

A sample's prompt is the caption of its row, whatever the task (``datagen.samples``), or the empty prompt where it was
dropped; validation and the sample grids ask for captions too. So the captions of the manifests, held-out ones included,
and the empty prompt are all that there is. Only scenes that are drawn while a base trains have captions that no
manifest holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from cologen.trainer.data.manifests import open_rows, read_columns
from cologen.trainer.recipes.curriculum import Recipe


def prompts_of(
    recipe: Recipe,
    stages: Sequence[int],
    data: str | Path,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[str, ...]:
    """The distinct prompts of the stages of these numbers, sorted; the empty one is the first. No picture is read.

    Raises:
        FileNotFoundError, ValueError: a manifest cannot be opened, or a stage draws its scenes.
    """
    drawn = [recipe.stages[number].task for number in stages if recipe.stages[number].scenes is not None]
    if drawn:
        raise ValueError(
            f"stage {drawn[0]} of {recipe.name} draws scenes and their captions while it trains: they cannot be known "
            "ahead"
        )
    compute: Any = pc  # whose functions are made when it is imported
    found = {""}
    for name in recipe.manifests_of(stages):
        tasks = _tasks_of(recipe, stages, name)
        rows = open_rows(f"{str(data).rstrip('/')}/{name}", tasks, progress)
        found.update(compute.unique(read_columns(rows, ["caption"])["caption"]).to_pylist())
    return tuple(sorted(found))


def _tasks_of(recipe: Recipe, stages: Sequence[int], name: str) -> list[str]:
    """The tasks that a manifest may be of, as the stages that read it say."""
    trained = [recipe.stages[number] for number in stages if name in recipe.stages[number].manifests]
    held_out = [task for number in stages for task, names in recipe.held_out_of(number).items() if name in names]
    return [*(task for stage in trained for task in stage.manifest_tasks), *held_out]
