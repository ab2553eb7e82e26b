"""What validation costs is counted from rows, times, validations and samples."""

import pytest

from cologen.model import costs
from cologen.trainer.dry_run.estimates import shape_of, tokens_of
from cologen.trainer.dry_run.validating import validating_operations
from cologen.trainer.recipes.catalog import load_recipe
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.world import world


def forward(recipe: Recipe, number: int) -> tuple[int, int]:
    """Operations of a source, and of a step that reads it."""
    shape, tokens = shape_of(recipe, number), tokens_of(recipe, recipe.stages[number])
    return costs.source_pass(shape, tokens).total, costs.cached_step(shape, tokens).total


def test_rows_times_and_validations_are_counted():
    recipe = load_recipe("world", ["held_out.num_samples=0"])
    source, step = forward(recipe, 1)
    # after steps 0 and 60 and at the end, at 3 times, 4 rows of inpaint and 2 of grounding, which has no more
    expected = 3 * 3 * 6 * (source + step)
    assert validating_operations(recipe, 1, 1, {"grounding-refcoco-val": 2}) == pytest.approx(expected)
    # 6 rows on 4 GPUs are two on the one with most
    assert validating_operations(recipe, 1, 4, {"grounding-refcoco-val": 2}) == pytest.approx(expected * 8 / 6)


def test_each_gpu_draws_every_sample():
    recipe = load_recipe("world", ["held_out.grid_every=60", "held_out.num_samples=4"])
    without = load_recipe("world", ["held_out.num_samples=0"])
    source, step = forward(recipe, 0)
    added = validating_operations(recipe, 0, 2, {}) - validating_operations(without, 0, 2, {})
    assert added == pytest.approx(2 * 2 * 4 * (source + 20 * step))  # grids at step 60 and at the end, of 20 steps


def test_without_held_out_rows_nothing_is_added():
    assert validating_operations(world().replace(held_out=None), 0, 1, {}) == 0


def test_a_base_has_no_source():
    held_out = load_recipe("world", ["held_out.num_samples=0"]).held_out
    recipe = load_recipe("world-base", ["stages.0.iterations=1500"])
    recipe = recipe.replace(held_out=held_out)
    source, step = forward(recipe, 0)
    assert source == 0
    assert validating_operations(recipe, 0, 1, {}) == pytest.approx(26 * 3 * 4 * step)  # every 60 of 1500 steps
