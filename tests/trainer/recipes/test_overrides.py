"""Overrides and files become a checked recipe, or one error that names every mistake, its place and what was meant."""

from pathlib import Path

import pytest

from cologen.trainer.recipes.overrides import overridden, read_recipe
from cologen.trainer.recipes.world import world, world_small

BASE = world()


def mistakes(*overrides: str) -> str:
    with pytest.raises(ValueError) as caught:
        overridden(BASE, overrides)
    return str(caught.value)


def test_values_are_put_in_place_by_name_or_number():
    changed = overridden(
        BASE,
        ["stages.control.learning_rate=5e-5", "stages.4.rho=0.5", "routing=token", "optimizer.betas = [0.9, 0.95]"],
    )
    assert (changed.stage("control").learning_rate, changed.stage("editing").rho) == (5e-5, 0.5)
    assert (changed.routing, changed.optimizer.betas) == ("token", (0.9, 0.95))
    assert overridden(BASE, []) == BASE


@pytest.mark.parametrize(
    ("override", "default"), [("optimizer.kind=muon", "adamw"), ("stages.control.decay_share=0.25", "0")]
)
def test_fields_that_plain_values_leave_out_at_their_default_are_known_too(override: str, default: str):
    back = f"{override.partition('=')[0]}={default}"
    assert overridden(world_small(), [override]) != world_small()
    assert overridden(world_small(), [override, back]) == world_small()


def test_manifests_are_named_freely():
    changed = overridden(BASE, ["stages.editing.manifests={omniedit = 0.9, own = 0.1}"])
    assert changed.stage("editing").manifests == {"omniedit": 0.9, "own": 0.1}
    added = overridden(BASE, ["stages.editing.manifests.own=by size"]).stage("editing").manifests
    assert added == BASE.stage("editing").manifests | {"own": "by size"}


def test_a_misspelt_name_says_what_was_meant_and_all_are_said_at_once():
    words = mistakes("stages.contrl.rho=1", "stages.control.learnin_rate=1", "sed=1", "optimizer.momentum=1")
    assert words.splitlines() == [
        "stages has no 'contrl': did you mean 'control'?",
        "stages.control has no 'learnin_rate': did you mean 'learning_rate'?",
        "the recipe has no 'sed': did you mean 'seed'?",
        "optimizer has no 'momentum'; there are kind, betas, eps, weight_decay, eight_bit",
    ]


def test_what_is_no_override_is_refused():
    assert "'seed' is no override: expected name=value" in mistakes("seed")
    assert "seed is a single value" in mistakes("seed.x=1")
    assert "optimizer.betas is a single value" in mistakes("optimizer.betas.0=1")
    assert "stages.control is a whole stage" in mistakes("stages.control=1")


def test_values_are_checked_and_named_by_their_stage():
    words = mistakes("stages.control.learning_rate=fast", "clip=-1", "stages.editing.manifests.own=big")
    assert "stages.control.learning_rate: Input should be a valid number" in words
    assert "got 'fast'" in words
    assert "clip: Input should be greater than 0, got -1" in words
    assert words.count("stages.editing.manifests.own") == 1


FILE = """
name = "mine"
preset = "world-tiny"
rnk = 3
rank = 4
micro_batch = 4
checkpoint_every = 10
resolution = {side = 32, multiple = 4, max_aspect = 1.0}
[[stages]]
task = "inpaint"
manifests = {journeydb = "by size"}
iterations = 10
global_batch = 8
learning_rate = 1e-4
warmup_step = 3
rho = 1.0
alpha = 0.0
new_expert = true
"""


def test_a_file_of_the_same_shape_is_a_recipe(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(FILE.replace("rnk = 3\n", "").replace("warmup_step", "warmup_steps"))
    recipe = read_recipe(path)
    assert (recipe.name, recipe.stage("inpaint").warmup_steps) == ("mine", 3)
    path.with_suffix(".json").write_text(recipe.model_dump_json())
    assert read_recipe(path.with_suffix(".json")) == recipe


def test_all_mistakes_of_a_file_are_said_at_once(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(FILE)
    with pytest.raises(ValueError) as caught:
        read_recipe(path)
    assert str(caught.value).splitlines() == [
        f"{path} is no valid recipe:",
        "  stages.inpaint.warmup_steps is missing",
        "  stages.inpaint.warmup_step is not known: did you mean 'warmup_steps'?",
        "  rnk is not known: did you mean 'rank'?",
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="no recipe file"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(ValueError, match=r"bad.toml cannot be read: Invalid value"):
        read_recipe(tmp_path / "bad.toml")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ValueError, match="the recipe: Input should be"):
        read_recipe(tmp_path / "list.json")
