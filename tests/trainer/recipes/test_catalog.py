"""Every recipe carries its name, and the paper's numbers stand as in its section 3.1."""

from pathlib import Path
from typing import get_args

import pytest

from cologen.datagen.manifest.schemas import SCHEMAS, Task, TrainedTask
from cologen.model.tasks import TASK_NAMES, TASKS
from cologen.trainer.recipes.catalog import RECIPES, load_recipe
from cologen.trainer.recipes.paper import cologen_flux
from cologen.trainer.recipes.world import world


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_carries_the_name_it_is_called_by(name: str):
    assert RECIPES[name]().name == name


def test_the_paper_s_numbers():
    stages = cologen_flux().stages
    assert tuple(stage.task for stage in stages) == TASK_NAMES
    assert [stage.iterations for stage in stages] == [200_000, 200_000, 400_000, 50_000, 200_000]
    assert [stage.global_batch for stage in stages] == [256, 256, 128, 128, 128]
    assert {stage.learning_rate for stage in stages} == {1e-4}
    assert [stage.rho for stage in stages] == [1.0, 0.8, 0.8, 0.8, 0.8]
    assert [stage.alpha for stage in stages] == [0.0, 0.5, 0.5, 0.5, 0.5]
    assert (cologen_flux().rank, cologen_flux().expert_scale) == (128, 2.0)
    assert [cologen_flux().num_experts(number) for number in range(5)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith("cologen-flux")])
def test_large_data_is_not_kept_unless_asked_and_then_within_a_bound(name: str):
    recipe = RECIPES[name]()
    assert not recipe.cache_text and not recipe.cache_latents
    assert load_recipe(name, ["cache_text=true"]).cache_gb == 50
    for value in ("0", "-1", "inf", "nan"):
        with pytest.raises(ValueError, match="cache_gb"):
            load_recipe(name, [f"cache_gb={value}"])


def test_the_base_of_the_world_has_the_world_s_shape():
    base, of = RECIPES["world-base"](), world()
    assert (base.preset, base.resolution) == (of.preset, of.resolution)
    assert [stage.task for stage in base.stages] == ["text-to-image"]


def test_a_recipe_is_loaded_by_name_or_from_the_file_that_a_run_saved(tmp_path: Path):
    saved = tmp_path / "recipe.json"
    saved.write_text(world().model_dump_json())
    assert load_recipe("world") == load_recipe(str(saved)) == world()
    assert load_recipe(str(saved), ["seed=5"]).seed == 5


def test_an_unknown_name_says_which_there_are():
    with pytest.raises(ValueError, match=r"no recipe 'wrld'; there are world, world-small, cologen-flux"):
        load_recipe("wrld")


def test_the_tasks_are_those_of_the_manifests_and_of_the_model():
    """Datagen and the model list them apart, since neither imports the other."""
    assert tuple(TASKS) == TASK_NAMES == get_args(TrainedTask)
    assert set(SCHEMAS) == set(get_args(Task)) == {"concepts", *TASK_NAMES}
