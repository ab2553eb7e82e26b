"""Each remedy that is named is given back to the estimate, and has to suffice; where none does, that is said."""

import re
from dataclasses import replace

import pytest

from cologen.model.gpus import GPUS
from cologen.trainer.dry_run.estimates import Setup, memory
from cologen.trainer.dry_run.remedies import conflicts, for_division, for_memory, undivided
from cologen.trainer.recipes.catalog import load_recipe
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.paper import cologen_flux
from cologen.trainer.recipes.world import world_base

STAGES = range(5)


def setup(gpu: str, num_gpus: int = 1, *, sharded: bool = False) -> Setup:
    return Setup(gpu=GPUS[gpu], num_gpus=num_gpus, sharded=sharded, utilization=0.4)


def applied(told: str, recipe: Recipe, before: Setup) -> tuple[Recipe, Setup]:
    """What a user would do who types it."""
    changes = re.findall(r"--set (\S+?)=(\S+)", told)
    for name, value in changes:
        if "." in name:
            recipe = recipe.replace(optimizer=recipe.optimizer.replace(eight_bit=True))
        else:
            recipe = recipe.replace(**{name: {"true": True}.get(value, value)})
    gpus = re.search(r"--gpus (\d+)", told)
    found = replace(before, num_gpus=int(gpus[1]) if gpus else before.num_gpus)
    return recipe, replace(found, sharded=found.sharded or "--strategy fsdp" in told)


@pytest.mark.parametrize(("gpu", "num_gpus"), [("rtx4090", 1), ("rtx4090", 2), ("l40s", 8)])
@pytest.mark.parametrize("changes", [{"micro_batch": 32}, {"gradient_checkpointing": False}, {"micro_batch": 1}])
def test_what_is_said_to_fit_fits(gpu: str, num_gpus: int, changes: dict[str, object]):
    recipe, before = cologen_flux().replace(**changes), setup(gpu, num_gpus)
    if all(memory(recipe, number, before).total <= before.gpu.memory * 1e9 for number in STAGES):
        return
    told = for_memory(recipe, STAGES, before)
    assert "this fits: --" in told
    changed, after = applied(told.split("this fits: ")[1], recipe, before)
    assert conflicts(changed, after) == []
    assert not undivided(changed, STAGES, after.num_gpus)
    for number in STAGES:
        assert memory(changed, number, after).total <= after.gpu.memory * 1e9


def test_the_fewest_settings_come_first():
    many = cologen_flux().replace(micro_batch=16)
    assert for_memory(many, STAGES, setup("l40s")).startswith("this fits: --set micro_batch=4 (")
    smaller = replace(setup("l40s"), gpu=replace(GPUS["l40s"], memory=40.0))
    assert for_memory(cologen_flux(), STAGES, smaller).startswith("this fits: --set offload_text=true (")


def test_where_nothing_suffices_that_is_said_and_how_much_it_takes():
    tiny = replace(setup("rtx4090"), gpu=replace(GPUS["rtx4090"], memory=4.0))
    told = for_memory(cologen_flux(), STAGES, tiny)
    assert told.startswith("no setting suffices: with ")
    assert "it still takes a GPU with" in told
    world = replace(setup("rtx4090"), gpu=replace(GPUS["rtx4090"], memory=0.1))
    assert "quantize" not in for_memory(world_base(), [0], world)


@pytest.mark.parametrize(("num_gpus", "micro_batch"), [(3, 4), (5, 4), (64, 4), (64, 8), (128, 2), (1000, 4), (7, 1)])
def test_each_remedy_for_batches_suffices(num_gpus: int, micro_batch: int):
    recipe, before = cologen_flux().replace(micro_batch=micro_batch), setup("h100", num_gpus)
    assert undivided(recipe, STAGES, num_gpus)
    told = for_division(recipe, STAGES, before).removeprefix("any of these does: ").split(", or ")
    assert told
    for each in told:
        if each.startswith("--gpus"):
            assert not undivided(recipe, STAGES, int(each.split()[1]))
        else:
            overrides = [change for change in each.split() if change != "--set"]
            changed = load_recipe("cologen-flux", [f"micro_batch={micro_batch}", *overrides])
            assert not undivided(changed, STAGES, num_gpus)


def test_muon_is_neither_sharded_nor_kept_in_eight_bits():
    recipe = world_base().replace(gradient_checkpointing=True)
    assert conflicts(recipe, setup("h100", 8)) == []
    sharded = replace(setup("h100", 8), sharded=True)
    assert conflicts(recipe, sharded) == [
        "optimizer.kind=muon cannot be sharded: --strategy ddp, or --set optimizer.kind=adamw"
    ]
    assert "eight_bit" not in for_memory(
        recipe, [0], replace(setup("rtx4090"), gpu=replace(GPUS["rtx4090"], memory=0.1))
    )
