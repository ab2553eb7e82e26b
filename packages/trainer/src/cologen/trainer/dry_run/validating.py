"""What validation adds to a stage: operations of the losses of held-out rows and of the samples that are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from cologen.model import costs
from cologen.model.presets import preset
from cologen.trainer.dry_run.estimates import shape_of, tokens_of
from cologen.trainer.recipes.curriculum import Recipe


def validating_operations(recipe: Recipe, stage_number: int, num_gpus: int, rows: Mapping[str, int]) -> float:
    """Floating-point operations of all GPUs together; 0 without held-out rows.

    Each GPU takes as many rows as the one with most, and draws all samples of a grid.

    Args:
        rows: of the manifests that are there; of others, as many are assumed as are asked for.
    """
    wanted, settings = recipe.held_out_of(stage_number), recipe.held_out
    if settings is None or not wanted:
        return 0.0
    most = settings.rows_per_task
    count = sum(min(most, sum(rows.get(name, most) for name in names)) for names in wanted.values())
    shape, tokens = shape_of(recipe, stage_number), tokens_of(recipe, recipe.stages[stage_number])
    source, step = costs.source_pass(shape, tokens).total, costs.cached_step(shape, tokens).total
    iterations = recipe.stages[stage_number].iterations
    validations = ceil(iterations / settings.every) + 1
    grids = 1 + ((iterations - 1) // settings.grid_every if settings.grid_every else 0)
    losses = ceil(count / num_gpus) * num_gpus * len(settings.times) * (source + step)
    samples = min(settings.num_samples, count) * num_gpus * (source + preset(recipe.preset).num_steps * step)
    return float(validations * losses + grids * samples)
