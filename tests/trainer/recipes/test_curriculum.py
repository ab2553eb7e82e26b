"""Stages and recipes hold together, or say which two values do not."""

import itertools
import math
from typing import Any

import pytest
import torch
from pydantic import BaseModel, ValidationError

from cologen.model.newcomer import NEWCOMER_BIAS
from cologen.trainer.recipes.catalog import RECIPES, load_recipe
from cologen.trainer.recipes.curriculum import Recipe, Resolution, recipe_hash
from cologen.trainer.recipes.effects import RecipePart
from cologen.trainer.recipes.optimizer import Optimizer
from cologen.trainer.recipes.stages import Stage

STAGE = Stage(
    task="editing",
    manifests={"omniedit": "by size", "magicbrush": "by size"},
    iterations=100,
    global_batch=8,
    learning_rate=1e-4,
    warmup_steps=10,
    rho=0.8,
    alpha=0.5,
    new_expert=True,
)
MIXED = {"task": "mixed", "task_shares": {"inpaint": 3.0, "editing": 1.0}}
FOUND = {"omniedit": ("editing", 300), "magicbrush": ("editing", 100)}
RECIPE = Recipe(
    name="small",
    preset="world-tiny",
    resolution=Resolution(side=32, multiple=4, max_aspect=1.0),
    rank=4,
    micro_batch=4,
    checkpoint_every=10,
    stages=(STAGE.replace(task="inpaint"), STAGE),
)


def test_weights_are_sizes_unless_numbers_are_given():
    assert STAGE.weights(FOUND) == {"omniedit": 300.0, "magicbrush": 100.0}
    given = STAGE.replace(manifests={"omniedit": 0.1, "magicbrush": 0.9})
    assert given.weights(FOUND) == {"omniedit": 0.1, "magicbrush": 0.9}


def test_a_mixed_stage_holds_the_shares_of_its_tasks_and_sizes_within_them():
    mixed = STAGE.replace(**MIXED, manifests=dict.fromkeys(("omniedit", "magicbrush", "journeydb"), "by size"))
    weights = mixed.weights(FOUND | {"journeydb": ("inpaint", 10**6)})
    assert weights == pytest.approx({"omniedit": 0.75, "magicbrush": 0.25, "journeydb": 3.0})
    assert mixed.manifest_tasks == ("inpaint", "editing")
    with pytest.raises(ValueError, match="no manifest holds samples of inpaint"):
        STAGE.replace(**MIXED).weights(FOUND)


def test_a_stage_may_train_on_other_tasks_beside_its_own():
    both = STAGE.replace(task_shares={"inpaint": 1.0, "editing": 3.0}, manifests=STAGE.manifests | {"a": "by size"})
    assert (both.own_tasks, both.manifest_tasks) == (("editing",), ("inpaint", "editing"))
    weights = both.weights(FOUND | {"a": ("inpaint", 7)})
    assert weights == pytest.approx({"omniedit": 2.25, "magicbrush": 0.75, "a": 1.0})


def test_with_a_gate_per_task_each_task_has_the_expert_of_its_stage_for_all_its_choices():
    both = STAGE.replace(task_shares={"inpaint": 1.0, "editing": 4.0}, gate_per_task=True)
    found = RECIPE.replace(stages=(STAGE.replace(task="inpaint", rho=1.0), both))
    assert found.task_experts == {"inpaint": 0, "editing": 1}
    assert (both.rho, both.gate_rho, both.replace(gate_per_task=False).gate_rho) == (0.8, 1.0, 0.8)
    for stages, lacking in (
        ((STAGE.replace(task="grounding"), both), "inpaint"),
        ((STAGE.replace(task="grounding"), both, STAGE.replace(task="inpaint")), "inpaint"),
        ((STAGE.replace(task="inpaint"), both.replace(new_expert=False)), "editing"),
    ):
        with pytest.raises(ValidationError, match=f"no stage up to it has new_expert for {lacking}: leave"):
            RECIPE.replace(stages=stages)


def test_the_warm_up_rises_to_the_learning_rate_and_the_newcomer_to_its_place():
    rates = [STAGE.learning_rate_at(step) for step in range(100)]
    assert rates[10:] == [1e-4] * 90
    assert 0 < rates[0] < rates[5] < rates[9] < 1e-4
    biases = [STAGE.newcomer_bias_at(step) for step in range(100)]
    assert (biases[0], biases[5], biases[10], biases[99]) == (-8.0, -4.0, 0.0, 0.0)
    at_once = STAGE.replace(warmup_steps=0)
    assert (at_once.learning_rate_at(0), at_once.newcomer_bias_at(0)) == (1e-4, 0.0)


def test_text_to_image_reads_inpainting_manifests_and_trains_the_base():
    base = STAGE.replace(task="text-to-image", new_expert=False, alpha=0.0)
    assert base.trains_base
    assert base.manifest_tasks == ("inpaint",)
    assert RECIPE.replace(stages=(base,)).num_experts(0) == 0


FLOAT32_FIELDS = [
    (STAGE, "learning_rate"),
    (STAGE, "router_rate"),
    (STAGE, "alpha"),
    (STAGE, "newcomer_bias"),
    (Optimizer(), "eps"),
    (Optimizer(), "weight_decay"),
    (RECIPE, "expert_scale"),
    (RECIPE, "clip"),
]


@pytest.mark.parametrize(("model", "field"), FLOAT32_FIELDS)
def test_what_float32_cannot_hold_is_refused_where_it_would_vanish_or_overflow(model: Any, field: str):
    sign = -1 if field == "newcomer_bias" else 1
    for size in (1e-60, 1e-39, 3.5e38, 1e300):
        with pytest.raises(
            ValidationError, match=rf"{field}\n.*computed with in float32, whose numbers go from 1\.18e-38"
        ):
            model.replace(**{field: sign * size})
    for size in (2.0**-126, 1.0, 3.4e38):
        kept = float(torch.tensor(getattr(model.replace(**{field: sign * size}), field), dtype=torch.float32))
        assert math.isfinite(kept) and kept == pytest.approx(sign * size)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"warmup_steps": 101}, "warmup_steps 101 exceeds iterations 100"),
        ({"manifests": {}}, "one or more"),
        ({"manifests": {"a": "by size", "b": 0.5}}, "all by numbers or all 'by size'"),
        ({"manifests": {"a": -1.0}}, "a positive number or 'by size'"),
        ({"task": "mixed"}, "a mixed stage has task_shares"),
        ({"task_shares": {"inpaint": 1.0}}, "lack its own task"),
        ({"task_shares": {"editing": 1.0, "inpaint": 0.0}}, "task_shares are positive"),
        ({"gate_per_task": True}, "name no second task"),
        (MIXED | {"gate_per_task": True}, "and mixed has none"),
        ({"gate_per_task": True, "alpha": 0.0, "task_shares": MIXED["task_shares"]}, "alpha is 0, so no gate"),
        (
            {"gate_per_task": True, "task_shares": {"inpaint": 1.0, "editing": 3.0}},
            "rho is 0.8, and 0.75 of the samples",
        ),
        ({"router_rate": 0.0}, "greater than 0"),
        ({"task": "text-to-image"}, "new_expert = false"),
        ({"task": "text-to-image", "new_expert": False, "alpha": 0.0, "router_rate": 2.0}, "and router_rate = 1"),
        ({"task": "mixed", "task_shares": {"inpaint": 1.0, "text-to-image": 1.0}}, "a row without one trains nothing"),
        ({"manifests": {"a": math.inf}}, "finite number"),
        ({"task": "mixed", "task_shares": {"inpaint": math.inf}}, "finite number"),
        ({"rho": 1.5}, "less than or equal to 1"),
        ({"momentum": 1}, "Extra inputs"),
    ],
)
def test_a_stage_that_cannot_be_trained_is_refused(changes: dict[str, Any], words: str):
    with pytest.raises(ValidationError, match=words):
        STAGE.replace(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stages": ()}, "at least one stage"),
        ({"stages": (STAGE, STAGE)}, "editing is there more than once"),
        ({"stages": (STAGE.replace(new_expert=False),)}, "new_expert = true"),
        ({"optimizer": {"betas": (0.9, 1.5)}}, "less than 1"),
        ({"optimizer": {"betas": (1.0, 0.9)}}, "less than 1"),
        ({"optimizer": {"betas": (-0.1, 0.9)}}, "greater than or equal to 0"),
        ({"caption_dropout": 1.1}, "less than or equal to 1"),
        ({"micro_batch": 3}, "stages.inpaint.global_batch 8 is not a multiple of micro_batch 3"),
        ({"resolution": {"side": 30, "multiple": 4, "max_aspect": 1.0}}, "side 30 is not a multiple of 4"),
    ],
)
def test_a_recipe_that_cannot_run_is_refused(changes: dict[str, Any], words: str):
    with pytest.raises(ValidationError, match=words):
        RECIPE.replace(**changes)


def number_fields() -> list[tuple[type[BaseModel], str]]:
    models: tuple[type[BaseModel], ...] = (Recipe, Stage, Resolution, Optimizer)
    return [(model, name) for model in models for name, field in model.model_fields.items() if "float" in str(field)]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize(("model", "name"), number_fields(), ids=lambda each: str(each))
def test_numbers_are_finite(model: type[BaseModel], name: str, value: float):
    wholes: dict[type[BaseModel], RecipePart] = {
        Recipe: RECIPE, Stage: STAGE, Resolution: RECIPE.resolution, Optimizer: Optimizer()
    }  # fmt: skip
    given = {"betas": (value, 0.9), "manifests": {"a": value}, "task_shares": {"inpaint": value}}.get(name, value)
    with pytest.raises(ValidationError):
        wholes[model].replace(**{name: given})


def test_a_newcomer_begins_where_the_model_lets_it():
    assert Stage.model_fields["newcomer_bias"].default == NEWCOMER_BIAS == -8.0


def test_a_tenth_of_the_captions_is_dropped_in_every_recipe():
    assert all(make().caption_dropout == 0.1 for make in RECIPES.values())


def test_a_stage_is_found_by_number_or_task():
    assert RECIPE.stage(1) == RECIPE.stage("1") == RECIPE.stage("editing") == STAGE
    with pytest.raises(ValueError, match=r"small has no stage 2; it has 0 \(inpaint\), 1 \(editing\)"):
        RECIPE.stage(2)


def test_experts_are_counted_up_to_the_stage():
    assert [RECIPE.num_experts(number) for number in (0, 1)] == [1, 2]
    goes_on = RECIPE.replace(stages=(RECIPE.stages[0], STAGE.replace(new_expert=False)))
    assert [goes_on.num_experts(number) for number in (0, 1)] == [1, 1]


def test_the_hash_is_of_the_values_and_survives_saving():
    assert recipe_hash(Recipe.model_validate_json(RECIPE.model_dump_json())) == recipe_hash(RECIPE)
    assert recipe_hash(RECIPE.replace(seed=1)) != recipe_hash(RECIPE)


@pytest.mark.parametrize(
    "override", ["clip=true", "micro_batch=true", "stages.inpaint.learning_rate=true", "name=..", "name=."]
)
def test_truth_is_no_number_and_dots_are_no_name(override: str):
    with pytest.raises(ValueError, match=r"expected a number, got true or false|name"):
        load_recipe("world", [override])


def test_the_learning_rate_falls_to_nothing_along_half_a_cosine_where_it_decays():
    stage = load_recipe("world-base").stages[0].replace(iterations=100, warmup_steps=10, decay_share=0.2)
    rates = [stage.learning_rate_at(step) / stage.learning_rate for step in range(100)]
    assert rates[10:80] == [1.0] * 70
    assert rates[80:] == sorted(rates[80:], reverse=True) and rates[80] < 1.0
    assert 0.0 < rates[99] < 0.01
    middle = (rates[89] + rates[90]) / 2
    assert middle == pytest.approx(0.5, abs=0.01)


def test_without_a_form_and_a_floor_the_learning_rate_is_what_it_was():
    for recipe in ("world", "world-base", "world-small", "cologen-flux"):
        for stage in load_recipe(recipe).stages:
            decay = round(stage.decay_share * stage.iterations) + 1
            for step in range(0, stage.iterations, 7):
                left = (stage.iterations - step) / decay
                warm = min(1.0, (step + 1) / (stage.warmup_steps + 1))
                falling = 0.5 - 0.5 * math.cos(math.pi * left) if left < 1 else 1.0
                assert stage.learning_rate_at(step) == stage.learning_rate * warm * falling


@pytest.mark.parametrize("form", ["cosine", "linear", "1-sqrt"])
@pytest.mark.parametrize("share", [0.2, 1.0])
@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_the_learning_rate_falls_from_its_value_to_its_floor_without_a_jump(form: str, share: float, floor: float):
    stage = STAGE.replace(
        iterations=10_000, warmup_steps=0, decay_share=share, decay_form=form, decay_floor=floor, learning_rate=0.5
    )
    rates = [stage.learning_rate_at(step) / 0.5 for step in range(10_001)]
    begin = round((1 - share) * 10_000)
    assert rates[: begin + 1] == pytest.approx([1.0] * (begin + 1), abs=0.03) and rates[0] == pytest.approx(1, abs=0.02)
    assert rates[10_000] == pytest.approx(floor)
    assert rates[:-1] == sorted(rates[:-1], reverse=True)
    # the root falls fastest in its first step, by 1 / √2001 of its height where the decay has 2000 steps
    assert max(one - other for one, other in itertools.pairwise(rates)) < 0.03


def test_forms_differ_in_the_middle_and_a_cosine_over_all_steps_is_the_usual_schedule():
    stage = STAGE.replace(iterations=999, warmup_steps=0, decay_share=1.0, learning_rate=1.0)
    halfway = {form: stage.replace(decay_form=form).learning_rate_at(499) for form in ("cosine", "linear", "1-sqrt")}
    assert halfway == pytest.approx({"cosine": 0.5, "linear": 0.5, "1-sqrt": 1 - math.sqrt(0.5)}, abs=1e-3)
    quarter = stage.replace(decay_floor=0.2).learning_rate_at(249)
    assert quarter == pytest.approx(0.2 + 0.8 * (0.5 + 0.5 * math.cos(math.pi / 4)), abs=1e-3)


@pytest.mark.parametrize("wrong", [{"decay_form": "linear"}, {"decay_floor": 0.1}])
def test_what_says_how_the_learning_rate_falls_needs_a_share_in_which_it_does(wrong: dict[str, object]):
    with pytest.raises(ValueError, match="with decay_share 0 it does not: set decay_share too"):
        STAGE.replace(**wrong)


def test_the_learning_rate_in_words():
    stage = STAGE.replace(decay_share=0.2, decay_form="1-sqrt", decay_floor=0.1)
    assert stage.learning_rate_words == "0.0001, last 20 % 1-sqrt to 10 %"
    assert STAGE.replace(decay_share=1.0).learning_rate_words == "0.0001, cosine to 0"
    assert STAGE.learning_rate_words == "0.0001"


def test_scenes_take_the_place_of_manifests_in_a_base_of_squares_alone():
    base = load_recipe("world-base")
    scenes = base.stages[0].scenes
    assert scenes is not None
    with pytest.raises(ValueError, match="scenes take the place of manifests"):
        base.stages[0].replace(manifests={"inpaint-cocostuff": "by size"})
    with pytest.raises(ValueError, match="scenes take the place of manifests"):
        load_recipe("world").stages[0].replace(manifests={}, scenes=scenes)
    with pytest.raises(ValueError, match="manifests are one or more"):
        base.stages[0].replace(scenes=None)
    with pytest.raises(ValueError, match="scenes are squares"):
        base.replace(resolution=base.resolution.replace(max_aspect=2.0))


def test_what_was_added_to_recipes_later_is_saved_only_where_it_is_used():
    plain = load_recipe("world-small").model_dump(mode="json")
    assert "kind" not in plain["optimizer"]
    assert not {"scenes", "decay_share"} & plain["stages"][0].keys()
    base = load_recipe("world-base").model_dump(mode="json")
    assert base["optimizer"]["kind"] == "muon" and "held_out" not in base
    assert base["stages"][0]["scenes"]["level"] == "simple" and base["stages"][0]["decay_share"] > 0
