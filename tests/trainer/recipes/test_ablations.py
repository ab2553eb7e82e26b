"""Each row of table 5 differs from the staged run by what its name says, and each sweep by one value."""

import pytest

from cologen.trainer.changes import differences
from cologen.trainer.recipes.ablations import (
    ABLATIONS,
    SWEEPS,
    at_equal_compute,
    co_training,
    gated_replay,
    replay,
    sweep_alpha,
    sweep_rank,
    sweep_rho,
)
from cologen.trainer.recipes.catalog import RECIPES, load_recipe
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.world import world

BASE = world()


def tasks(recipe: Recipe) -> list[str]:
    return [stage.task for stage in recipe.stages]


def num_samples(recipe: Recipe) -> int:
    return sum(stage.iterations * stage.global_batch for stage in recipe.stages)


def test_the_rows_of_table_5():
    later = ["control", "customized", "editing"]
    assert {name: tasks(vary(BASE)) for name, vary in ABLATIONS.items()} == {
        "staged": ["inpaint", "grounding", *later],
        "concept-only": ["inpaint", *later],
        "localization-only": ["grounding", *later],
        "neither": later,
        "co-training": ["mixed"],
        "replay": ["inpaint", "grounding", *later],
        "gated-replay": ["inpaint", "grounding", *later],
    }


def test_the_first_stage_left_has_no_veterans():
    for vary in ABLATIONS.values():
        first = vary(BASE).stages[0]
        assert (first.rho, first.alpha, first.new_expert) == (1.0, 0.0, True)


def test_co_training_has_the_samples_and_the_parameters_of_all_stages():
    mixed = co_training(BASE)
    assert num_samples(mixed) == num_samples(BASE)
    assert mixed.rank == 5 * BASE.rank
    assert set(mixed.stages[0].manifests) == {name for stage in BASE.stages for name in stage.manifests}
    assert sum(mixed.stages[0].task_shares.values()) == 1


def test_replay_draws_what_rho_leaves_from_the_tasks_before():
    first, *later = replay(BASE).stages
    assert first == BASE.stages[0]
    before = [BASE.stages[0]]
    for stage, usual in zip(later, BASE.stages[1:], strict=True):
        assert stage.own_tasks == (usual.task,)
        assert stage.task_shares[stage.own_tasks[0]] == usual.rho == 0.8
        assert [stage.task_shares[each.own_tasks[0]] for each in before] == [pytest.approx(0.2 / len(before))] * len(
            before
        )
        before.append(usual)
        assert set(stage.manifests) == {name for each in before for name in each.manifests}
        assert stage.replace(manifests=usual.manifests, task_shares={}) == usual


def test_gated_replay_is_replay_with_a_gate_for_each_task():
    first, *later = gated_replay(BASE).stages
    assert first == BASE.stages[0]
    assert [stage.replace(gate_per_task=False) for stage in later] == list(replay(BASE).stages[1:])
    assert all(stage.gate_per_task for stage in later)


def test_sweeps_change_one_value_of_the_last_stage_and_leave_the_others():
    for name, variants in (("alpha", sweep_alpha(BASE)), ("rho", sweep_rho(BASE))):
        for variant in variants:
            changed = {line.partition(":")[0] for line in differences(BASE, variant)} - {"name"}
            assert changed <= {f"stages.editing.{name}"}
    assert [variant.rank for variant in sweep_rank(BASE)] == [4, 8, 16, 32]
    everything = (*sweep_alpha(BASE), *sweep_rho(BASE), *sweep_rank(BASE))
    assert len({variant.name for variant in everything}) == len(everything) == 14


def test_at_equal_compute_every_row_sees_as_many_samples_and_keeps_the_proportions_of_its_stages():
    for vary in ABLATIONS.values():
        before = vary(BASE)
        after = at_equal_compute(before, BASE)
        assert abs(num_samples(after) - num_samples(BASE)) <= sum(stage.global_batch for stage in after.stages)
        factors = [new.iterations / old.iterations for new, old in zip(after.stages, before.stages, strict=True)]
        assert max(factors) - min(factors) < 0.01
    assert at_equal_compute(ABLATIONS["staged"](BASE), BASE) == ABLATIONS["staged"](BASE)


def test_every_value_of_figure_4_is_a_recipe_of_its_own_name():
    for sweep in SWEEPS.values():
        for variant in sweep(BASE):
            assert variant.name in RECIPES
            assert load_recipe(variant.name) == variant
    assert load_recipe("cologen-flux-rank-64").rank == 64
