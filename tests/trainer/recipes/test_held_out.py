"""Held-out rows are a part of a recipe that may be absent, and then leaves no trace in it."""

import json
from pathlib import Path

import pytest

from cologen.trainer.changes import changes, refused
from cologen.trainer.json_files import write_sealed
from cologen.trainer.recipes.catalog import RECIPES, load_recipe
from cologen.trainer.recipes.curriculum import Recipe, recipe_hash
from cologen.trainer.recipes.effects import Effect
from cologen.trainer.recipes.held_out import HeldOut
from cologen.trainer.recipes.overrides import read_recipe
from cologen.trainer.recipes.world import WORLD_HELD_OUT, WORLD_MANIFESTS, world

BEFORE = {
    "world": "e6dd11b5dd763d7395bbf66ba0548498ab23494c8002d5c6950ebbf1de8687ba",
    "cologen-flux": "e48e6a1ffedd996868df11144c8ec768ac55bb522914a58da3b4d88571572b18",
}
"""Hashes of recipes as they were before recipes knew held-out rows."""


@pytest.mark.parametrize("name", BEFORE)
def test_without_held_out_rows_a_recipe_has_the_hash_it_had(name: str):
    as_before = ["held_out=none", "optimizer.kind=adamw"]
    for number, stage in enumerate(load_recipe(name).stages) if name == "world" else ():
        as_before += [f"stages.{number}.learning_rate=5e-3", f"stages.{number}.decay_share=0"]
        assert stage.decay_share > 0
    assert recipe_hash(load_recipe(name, as_before)) == BEFORE[name]


def test_a_recipe_that_was_saved_before_is_read_and_saved_as_it_was(tmp_path: Path):
    old = world().replace(held_out=None).model_dump(mode="json")
    assert "held_out" not in old
    write_sealed(tmp_path / "recipe.json", old)
    recipe = read_recipe(tmp_path / "recipe.json")
    assert recipe.held_out is None
    assert recipe.model_dump(mode="json") == old
    assert Recipe.model_validate(json.loads(recipe.model_dump_json())) == recipe


def test_all_of_it_may_change_when_a_run_goes_on():
    old, new = world().replace(held_out=None), world()
    for before, after in ((old, new), (new, old), (new, load_recipe("world", ["held_out.every=7"]))):
        found = changes(before.model_dump(mode="json"), after.model_dump(mode="json"), finished=1, begun=3)
        assert found
        assert {change.effect for change in found} == {Effect.FREE}
        assert refused(found, remedies=False) == []


def test_a_manifest_is_held_out_or_trained_on():
    with pytest.raises(ValueError, match=r"inpaint-cocostuff is held out, and stages.inpaint.manifests would train"):
        load_recipe("world", ['held_out.manifests.grounding=["inpaint-cocostuff"]'])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("held_out.manifests={}", "manifests name one folder or more for each task"),
        ("held_out.manifests.inpaint=[]", "manifests name one folder or more for each task"),
        ("held_out.times=[]", "times rise, and there is one or more"),
        ("held_out.times=[0.5, 0.5]", "times rise"),
        ("held_out.times=[0.5, 1.5]", "less than or equal to 1"),
        ("held_out.every=0", "held_out.every"),
        ("held_out.grid_every=90", "grid_every 90 is not a multiple of every 60"),
        ("held_out.measures=l1", "held_out.measures"),
        ("held_out.often=1", "held_out has no 'often'; there are manifests"),
    ],
)
def test_mistakes_are_named(override: str, message: str):
    with pytest.raises(ValueError, match=message):
        load_recipe("world", [override])


def test_they_are_set_field_by_field_where_there_were_none():
    found = load_recipe("cologen-flux", ["held_out.every=500", 'held_out.manifests.control=["control-ade20k-val"]'])
    assert found.held_out == HeldOut(manifests={"control": ("control-ade20k-val",)}, every=500)
    assert load_recipe("world", ["held_out=none", "held_out.manifests.inpaint=['x']"]).held_out == HeldOut(
        manifests={"inpaint": ("x",)}
    )
    with pytest.raises(ValueError, match="manifests name one folder"):
        load_recipe("cologen-flux", ["held_out.every=500"])


def test_a_stage_uses_those_of_its_own_tasks_first_and_of_those_before():
    recipe = world()
    assert list(recipe.held_out_of(0)) == ["inpaint"]
    assert list(recipe.held_out_of(2)) == ["control", "inpaint", "grounding"]
    own = load_recipe("world", ["held_out.earlier_tasks=false"])
    assert own.held_out_of(2) == {"control": ("control-cocostuff-val", "control-multigen_depth-val")}
    assert list(load_recipe("world-co-training").held_out_of(0)) == list(WORLD_HELD_OUT)
    assert load_recipe("world-base").held_out_of(0) == {}
    assert load_recipe("cologen-flux").held_out_of(4) == {}


def test_a_run_s_manifests_are_those_it_trains_on_and_then_those_held_out():
    assert world().manifests_of([0]) == ("inpaint-cocostuff", "inpaint-cocostuff-val")
    every = world().manifests_of(range(5))
    assert every[:6] == tuple(name for names in WORLD_MANIFESTS.values() for name in names)
    assert set(every[6:]) == {f"{name}-val" for name in every[:6]}


def test_no_recipe_of_the_catalog_trains_on_what_it_holds_out():
    for name in RECIPES:
        recipe = load_recipe(name)
        if recipe.held_out is not None:
            assert all(held.endswith("-val") for held in recipe.held_out.names)
