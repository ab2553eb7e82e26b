"""The plan counts what the run would draw, and names every file that is not there and whatever does not fit."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cologen.datagen.manifest import load_manifest, save_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.model.gpus import GPUS
from cologen.trainer.dry_run import missing
from cologen.trainer.dry_run.estimates import Setup
from cologen.trainer.dry_run.forecast import RunForecast, forecast_run
from cologen.trainer.dry_run.missing import from_base
from cologen.trainer.loop import bases
from cologen.trainer.recipes.catalog import load_recipe
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.optimizer import Optimizer
from cologen.trainer.recipes.paper import cologen_flux, cologen_qwen_image_edit
from cologen.trainer.recipes.world import world, world_base
from tests.model.tiny_qwen import write_qwen

ALONE = Setup(gpu=GPUS["h200"], num_gpus=1, sharded=False, utilization=0.4)


def planned(recipe: Recipe, data: Path, folder: Path, **settings: object) -> RunForecast:
    arguments = {"stages": range(len(recipe.stages)), "base": None, "setup": ALONE, **settings}
    return forecast_run(recipe, data=data, folder=folder, **arguments)  # type: ignore[arg-type]


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
    save_file({"weight": torch.zeros(1)}, path)
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


def edit(folder: Path, **changes: object) -> None:
    save_manifest(Folder.open(folder), load_manifest(Folder.open(folder)).model_copy(update=changes))


def test_a_manifest_that_was_changed_is_missing_and_not_built(built: Path, base: Path, tmp_path: Path):
    data = shutil.copytree(built, tmp_path / "data")
    path = data / "inpaint-cocostuff" / "manifest.json"
    path.write_text(path.read_text().replace('"complete": true', '"complete": false'))
    plan = planned(of(world(), data), data, tmp_path, base=base)
    assert plan.to_build == () and "was changed after it was written" in plan.missing[0]


def test_damage_is_named(built: Path, base: Path, tmp_path: Path):
    data = tmp_path / "data"
    shutil.copytree(built, data)
    (data / "grounding-refcoco" / "part-00000.parquet").unlink()
    edit(data / "control-cocostuff", complete=False)
    edit(data / "editing-triplets", root=str(tmp_path / "gone"))
    shutil.copy(data / "inpaint-cocostuff" / "manifest.json", data / "customized-subjects200k" / "manifest.json")
    plan = planned(of(world(), data), data, tmp_path, base=base)
    assert any("lacks 1 of its" in line and "part-00000.parquet" in line for line in plan.missing)
    assert plan.to_build == ("control-cocostuff",)  # its build goes on where it stopped
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


def test_an_incomplete_manifest_that_is_not_of_the_world_is_missing(built: Path, tmp_path: Path):
    data = shutil.copytree(built, tmp_path / "data")
    edit(data / "inpaint-cocostuff", complete=False)
    plan = planned(cologen_flux(), data, tmp_path, stages=[0])
    assert any("inpaint-cocostuff is incomplete" in line for line in plan.missing)
    assert plan.to_build == ()


def test_what_the_world_builds_by_itself_is_not_missing(base: Path, tmp_path: Path):
    plan = planned(world(), tmp_path / "nothing", tmp_path, base=base)
    assert plan.to_build == world().manifests_of(range(5))
    assert plan.ready
    stages = (world().stages[0].replace(manifests={"inpaint-journeydb": 1.0}),)
    other = planned(world().replace(stages=stages), tmp_path / "nothing", tmp_path, base=base)
    assert not other.ready and "inpaint-journeydb" in other.missing[0]


def flux_folder(folder: Path) -> Path:
    for part, name in (
        ("transformer", "diffusion_pytorch_model.safetensors"),
        ("vae", "diffusion_pytorch_model.safetensors"),
        ("text_encoder", "model.safetensors"),
        ("text_encoder_2", "model.safetensors"),
    ):
        (folder / part).mkdir(parents=True)
        (folder / part / "config.json").write_text("{}")
        (folder / part / name).touch()
    for part, name in (("tokenizer", "vocab.json"), ("tokenizer", "merges.txt"), ("tokenizer_2", "spiece.model")):
        (folder / part).mkdir(exist_ok=True)
        (folder / part / name).touch()
    return folder


FLUX_FILES = (
    "transformer/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
    "text_encoder_2/model.safetensors",
    "tokenizer/merges.txt",
    "tokenizer_2/spiece.model",
)


@pytest.mark.parametrize("name", FLUX_FILES)
def test_each_file_of_a_base_is_named(tmp_path: Path, name: str):
    flux = flux_folder(tmp_path / "flux")
    assert from_base(cologen_flux(), flux) == []
    (flux / name).unlink()
    assert from_base(cologen_flux(), flux) == [str(flux / name)]


def test_parts_of_a_base_are_named(tmp_path: Path):
    recipe, flux = cologen_flux(), flux_folder(tmp_path / "flux")
    index = flux / "transformer" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}))
    (flux / "transformer" / "one.safetensors").touch()
    shutil.rmtree(flux / "tokenizer_2")
    absent = ("tokenizer_2/spiece.model", "transformer/two.safetensors")
    assert from_base(recipe, flux) == [str(flux / name) for name in absent]
    index.write_text("{")
    assert f"{index} (it is damaged: copy it again)" in from_base(recipe, flux)
    assert planned(recipe, tmp_path, tmp_path, base=tmp_path / "none").missing[-1].endswith("none")


def test_qwen_image_is_forecast_and_its_missing_files_are_named(tmp_path: Path):
    recipe, base = cologen_qwen_image_edit(), write_qwen(tmp_path / "qwen")
    plan = planned(recipe, tmp_path, tmp_path, base=base)
    assert plan.stages[0].memory.base == 2 * 20_430_401_088
    assert from_base(recipe, base) == []
    (base / "tokenizer" / "tokenizer.json").unlink()
    (base / "text_encoder" / "model.safetensors").unlink()
    absent = ("tokenizer/vocab.json", "tokenizer/merges.txt", "text_encoder/model.safetensors")
    assert from_base(recipe, base) == [str(base / name) for name in absent]


def test_pictures_that_are_gone_are_counted(built: Path, base: Path, tmp_path: Path):
    root = Path(load_manifest(Folder.open(built / "inpaint-cocostuff")).root)
    copy = shutil.copytree(root, tmp_path / "pictures")
    gone = sorted(copy.rglob("*.jpg")) + sorted(copy.rglob("*.png"))
    for path in gone[1:]:
        path.unlink()
    recipe = of(world(), built)
    plan = planned(recipe, built, tmp_path, base=base, roots={"inpaint-cocostuff": copy}, stages=[0])
    assert any(f"are not under {copy}, the first" in line for line in plan.missing)
    assert not plan.ready


def test_extractors_of_online_rows_need_weights(built: Path, base: Path, tmp_path: Path):
    stage = world().stages[0].replace(task="control", manifests={"control-online": "by size"})
    recipe = world().replace(stages=(stage,))
    lines = planned(
        recipe, built, tmp_path, base=base, weights={"hed": tmp_path / "no.pth", "lineart": "no/hub"}
    ).missing
    assert lines[0] == f"the weights of hed: {tmp_path / 'no.pth'} (--hed-weights)"
    assert "sk_model.pth of no/hub is not on this machine" in lines[1] and len(lines) == 2
    for name in ("ControlNetHED.pth", "sk_model.pth"):
        (tmp_path / name).touch()
    weights = {"hed": tmp_path / "ControlNetHED.pth", "lineart": str(tmp_path)}
    assert planned(recipe, built, tmp_path, base=base, weights=weights).ready


def test_packages_that_are_not_installed_are_missing(built: Path, base: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(bases, "find_spec", lambda _: None)
    monkeypatch.setattr(missing, "find_spec", lambda _: None)
    eight_bit = Optimizer(eight_bit=True)
    recipe = of(world(), built).replace(quantize_base="int8", optimizer=eight_bit)
    lines = planned(recipe, built, tmp_path, base=base, wandb=True).missing
    assert [next(name for name in ("torchao", "bitsandbytes", "wandb:") if name in line) for line in lines] == [
        "torchao",
        "bitsandbytes",
        "wandb:",
    ]


def test_steps_batches_and_days_are_planned(built: Path, base: Path, tmp_path: Path):
    eight = replace(ALONE, num_gpus=8)
    (stage,) = planned(cologen_flux(), tmp_path, tmp_path, setup=eight, stages=[0]).stages
    assert stage.accumulation == 8  # 256 = 4 x 8 x 8
    assert stage.seconds_per_step * 200_000 == pytest.approx(stage.seconds)
    (stage,) = planned(cologen_flux(), tmp_path, tmp_path, setup=replace(ALONE, num_gpus=3), stages=[0]).stages
    assert stage.accumulation is None


def test_what_does_not_fit_says_what_suffices(tmp_path: Path):
    small = Setup(gpu=GPUS["rtx4090"], num_gpus=3, sharded=False, utilization=0.4)
    plan = planned(cologen_flux(), tmp_path, tmp_path, setup=small)
    assert any("cannot be divided over 3 GPUs in micro batches of 4" in line for line in plan.problems)
    assert any(line.startswith("batches: any of these does: --gpus 2, or --gpus 4, or") for line in plan.problems)
    assert any("rtx4090 has 24" in line for line in plan.problems)
    assert any(line.startswith("memory: this fits: ") for line in plan.problems)
    sharded = replace(small, sharded=True)
    recipe = cologen_flux().replace(gradient_checkpointing=False)
    assert any(
        "fsdp needs gradient checkpointing" in line
        for line in planned(recipe, tmp_path, tmp_path, setup=sharded).problems
    )


def test_validation_takes_its_time_and_its_manifests(built: Path, base: Path, tmp_path: Path):
    whole = planned(of(world(), built), built, tmp_path, base=base)
    without = planned(of(world().replace(held_out=None), built), built, tmp_path, base=base)
    for one, other in zip(whole.stages, without.stages, strict=True):
        assert one.operations == other.operations
        assert one.seconds / other.seconds == pytest.approx(1 + one.validating / one.operations)
        assert 0 < one.validating < 0.06 * one.operations
        assert other.validating == 0
    flux = load_recipe("cologen-flux", ['held_out.manifests.inpaint=["inpaint-ade20k-val"]'])
    assert any("inpaint-ade20k-val" in line for line in planned(flux, tmp_path, tmp_path).missing)
    wrong = load_recipe("world", ['held_out.manifests.inpaint=["editing-triplets-val"]', "held_out.measures=['none']"])
    plan = planned(of(wrong, built), built, tmp_path, base=base)
    assert "editing-triplets-val holds samples of task editing, held_out.manifests.inpaint names it" in plan.problems
    assert any("held_out.measures names none" in line for line in plan.missing)
