"""Pictures for trackers: the grids that other watchers wrote, and maps of what the routers chose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from cologen.model.presets import preset
from cologen.reports.heatmaps import heat_map_pixels
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.watchers.grids import grid_path
from cologen.trainer.watchers.held_out_grids import held_out_grid_path
from cologen.trainer.watchers.metrics import RoutingMetrics
from cologen.trainer.watchers.sinks import Pictures


def training_grid(folder: Path, recipe: Recipe, stage: int) -> Pictures:
    """The grid of training samples of a finished stage, if it was drawn."""
    return _of_file("samples/training", grid_path(folder, recipe, stage))


def held_out_grid(folder: Path, recipe: Recipe, stage: int, step: int) -> Pictures:
    """The grid of held-out samples that was drawn after so many steps, if there is one."""
    return _of_file("samples/held_out", held_out_grid_path(folder, recipe, stage, step))


def routing_map(recipe: Recipe, record: RoutingMetrics) -> Pictures:
    """Which expert each block chose for the samples of a task."""
    usage = np.array(record.usage)
    experts = list(recipe.task_experts)[: usage.shape[1]]
    num_double = preset(recipe.preset).transformer["num_layers"]
    return {f"routing/{record.task}": heat_map_pixels(usage, experts, num_double=num_double)}


def _of_file(name: str, path: Path) -> Pictures:
    if not path.is_file():
        return {}
    with Image.open(path) as picture:
        return {name: np.array(picture.convert("RGB"))}
