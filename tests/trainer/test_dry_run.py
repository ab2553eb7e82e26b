"""The plan counts what the run would draw, and names every file that is not there and whatever does not fit."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cologen.trainer.curriculum import Recipe
from cologen.trainer.dry_run import RunPlan, plan_run
from cologen.trainer.estimates import GPUS, Setup
from cologen.trainer.recipes import cologen_flux, load_recipe, world, world_base

ALONE = Setup(gpu=GPUS["h200"], num_gpus=1, sharded=False, utilization=0.4)


def planned(recipe: Recipe, data: Path, folder: Path, **settings: object) -> RunPlan:
    arguments = {"stages": range(len(recipe.stages)), "base": None, "setup": ALONE, **settings}
    return plan_run(recipe, data=data, folder=folder, **arguments)  # type: ignore[arg-type]


def of(recipe: Recipe, built: Path) -> Recipe:
    """The recipe, reading what was built of its manifests."""
    stages = (
        stage.replace(manifests={name: weight for name, weight in stage.manifests.items() if (built / name).exists()})
        for stage in recipe.stages
    )
    return recipe.replace(stages=tuple(stages))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.safetensors"
    path.touch()
    return path


def test_with_everything_there_it_is_ready(built: Path, base: Path, tmp_path: Path):
    plan = planned(of(world(), built), built, tmp_path, base=base)
    assert (plan.missing, plan.problems, plan.ready) == ((), (), True)
    assert [each.number for each in plan.stages] == [0, 1, 2, 3, 4]
    for each in plan.stages:
        assert sum((each.samples or {}).values()) == each.stage.iterations * each.stage.global_batch
        assert each.rows.keys() == each.stage.manifests.keys()
        assert each.operations > 0
    trained = [each.trained for each in plan.stages]
    assert trained == sorted(trained)  # each stage's routers know one expert more


def test_nothing_left_to_train_is_a_plan_too(tmp_path: Path):
    assert planned(world_base(), tmp_path, tmp_path, stages=[]) == planned(
        world_base(), tmp_path / "elsewhere", tmp_path, stages=[]
    )


def test_a_base_that_is_made_needs_none(built: Path, tmp_path: Path):
    assert planned(of(world_base(), built), built, tmp_path).ready


def test_mixed_stages_draw_their_shares(built: Path, base: Path, tmp_path: Path):
    recipe = of(load_recipe("world-co-training"), built)
    (stage,) = planned(recipe, built, tmp_path, base=base).stages
    shares = recipe.stages[0].task_shares
    total = recipe.stages[0].iterations * recipe.stages[0].global_batch
    assert stage.samples is not None
    assert stage.samples["grounding-refcoco"] == pytest.approx(shares["grounding"] * total, abs=1.5)


def test_every_missing_file_is_named(tmp_path: Path):
    plan = planned(cologen_flux(), tmp_path, tmp_path)
    manifests = {name for stage in cologen_flux().stages for name in stage.manifests}
    assert all(any(str(tmp_path / name) in line for line in plan.missing) for name in manifests)
    assert len(plan.missing) == len(manifests) + 1
    assert "--base" in plan.missing[-1]
    assert not plan.ready
    assert all(each.samples is None for each in plan.stages)


def test_damage_is_named(built: Path, base: Path, tmp_path: Path):
    data = tmp_path / "data"
    shutil.copytree(built, data)
    (data / "grounding-refcoco" / "part-00000.parquet").unlink()
    manifest = json.loads((data / "control-cocostuff" / "manifest.json").read_text())
    (data / "control-cocostuff" / "manifest.json").write_text(json.dumps(manifest | {"complete": False}))
    other = json.loads((data / "editing-triplets" / "manifest.json").read_text())
    (data / "editing-triplets" / "manifest.json").write_text(json.dumps(other | {"root": str(tmp_path / "gone")}))
    shutil.copy(data / "inpaint-cocostuff" / "manifest.json", data / "customized-subjects200k" / "manifest.json")
    plan = planned(of(world(), data), data, tmp_path, base=base)
    assert any("lacks 1 of its" in line and "part-00000.parquet" in line for line in plan.missing)
    assert any("control-cocostuff is incomplete" in line for line in plan.missing)
    assert any(f"not under {tmp_path / 'gone'}" in line for line in plan.missing)
    assert any("customized-subjects200k holds samples of task inpaint" in line for line in plan.problems)
    found = planned(of(world(), data), data, tmp_path, base=base, roots={"editing-triplets": tmp_path})
    assert not any("gone" in line for line in found.missing)


def test_a_later_stage_stands_on_those_before(built: Path, base: Path, tmp_path: Path):
    plan = planned(of(world(), built), built, tmp_path / "run", base=base, stages=[2])
    names = ["adapter.json", "expert-0.safetensors", "expert-1.safetensors", "router-1.safetensors"]
    assert [line.split(" (")[0] for line in plan.missing] == [
        str(tmp_path / "run" / "adapter" / name) for name in names
    ]


def test_parts_of_a_base_are_named(tmp_path: Path):
    recipe = cologen_flux()
    flux = tmp_path / "flux"
    for part in ("transformer", "vae", "text_encoder", "text_encoder_2", "tokenizer"):
        (flux / part).mkdir(parents=True)
        (flux / part / "config.json").touch()
        (flux / part / "model.safetensors").touch()
    (flux / "vae" / "model.safetensors").unlink()
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (flux / "transformer" / "model.safetensors.index.json").write_text(json.dumps(index))
    (flux / "transformer" / "one.safetensors").touch()
    missing = [line for line in planned(recipe, tmp_path, tmp_path, base=flux).missing if line.startswith(str(flux))]
    absent = ("tokenizer_2", "transformer/two.safetensors", "vae/*.safetensors")
    assert missing == [str(flux / name) for name in absent]
    assert planned(recipe, tmp_path, tmp_path, base=tmp_path / "none").missing[-1].endswith("none")


def test_what_does_not_fit_says_what_helps(built: Path, base: Path, tmp_path: Path):
    small = Setup(gpu=GPUS["rtx4090"], num_gpus=3, sharded=False, utilization=0.4)
    problems = planned(cologen_flux(), tmp_path, tmp_path, setup=small).problems
    assert any("cannot be divided over 3 GPUs in micro batches of 4" in line for line in problems)
    assert any("rtx4090 has 24: try micro_batch=1, FSDP, quantize_base=fp8" in line for line in problems)
    assert not any("needs about" in line for line in planned(of(world(), built), built, tmp_path, base=base).problems)
    assert replace(small, num_gpus=1).num_gpus == 1
