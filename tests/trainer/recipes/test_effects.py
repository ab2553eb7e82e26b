"""Every field of a recipe says what it does to a run; a new one cannot forget to."""

import pytest

from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.effects import Effect, effect_of, parts_of
from cologen.trainer.recipes.optimizer import Optimizer
from cologen.trainer.recipes.stages import Stage


def fields(effect: Effect) -> set[str]:
    models = {"": Recipe, "stages.": Stage, "optimizer.": Optimizer}
    return {
        f"{prefix}{name}"
        for prefix, model in models.items()
        for name in model.model_fields
        if effect_of(model, name) is effect
    }


def test_what_decides_no_number_may_change():
    assert fields(Effect.FREE) >= {
        *("log_every", "micro_batch", "checkpoint_every", "keep_last", "num_samples", "compile", "max_nonfinite"),
        *("gradient_checkpointing", "cache_text", "cache_latents", "max_failed_share"),
        "checkpoint_minutes",
    }
    assert fields(Effect.REMEDY) == {"clip", "stages.learning_rate"}
    assert {"seed", "ema_decay", "stages.global_batch", "stages.rho", "optimizer.betas"} <= fields(Effect.NUMBERS)
    assert {"stages.decay_form", "stages.decay_floor"} <= fields(Effect.NUMBERS)
    assert {"rank", "preset", "stages.new_expert", "optimizer.eight_bit"} <= fields(Effect.SHAPE)


def test_parts_are_models_and_need_no_effect_of_their_own():
    for name, part in {"stages": Stage, "optimizer": Optimizer}.items():
        assert effect_of(Recipe, name) is None
        assert parts_of(Recipe.model_fields[name].annotation) is part


def test_a_new_field_has_to_choose():
    with pytest.raises(TypeError, match=r"More.momentum: declare its effect \(Free"):

        class More(Optimizer):  # pyright: ignore[reportUnusedClass]
            momentum: float = 0.9
