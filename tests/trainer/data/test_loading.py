"""The same batches whoever makes them: any number of workers, of processes, from any step on, whatever fails."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

from cologen.model.tasks import TASK_NAMES
from cologen.trainer.data.batch import Batch, LoadedStep, StageData
from cologen.trainer.data.draws import with_captions_dropped
from cologen.trainer.data.loading import Loading, StageSamples, open_stage
from cologen.trainer.data.manifests import open_manifest
from cologen.trainer.distributed import Processes
from cologen.trainer.recipes.curriculum import Recipe, Resolution
from cologen.trainer.recipes.world import world, world_base

CPU = torch.device("cpu")
ALONE = Processes(0, 1, CPU)
STEPS, GLOBAL_BATCH, MICRO_BATCH = 5, 8, 1
SQUARE = Resolution(side=32, multiple=4, max_aspect=1.0)
ANY_SHAPE = Resolution(side=32, multiple=4, max_aspect=2.0)


def short(recipe: Recipe, resolution: Resolution = SQUARE, micro_batch: int = MICRO_BATCH) -> Recipe:
    sizes = {"iterations": STEPS, "global_batch": GLOBAL_BATCH, "warmup_steps": 0, "decay_share": 0.0}
    stages = tuple(stage.replace(**sizes) for stage in recipe.stages)
    return recipe.replace(stages=stages, resolution=resolution, micro_batch=micro_batch)


def opened(data: Path, stage: str = "inpaint", recipe: Recipe | None = None, **settings: Any) -> StageSamples:
    recipe = recipe or short(world())
    number = [each.task for each in recipe.stages].index(stage)
    return open_stage(recipe, number, data, **settings)


def steps(samples: StageSamples, first: int = 0, processes: Processes = ALONE) -> list[LoadedStep]:
    return list(samples.steps(first, processes))


def whole(steps: Iterator[LoadedStep] | list[LoadedStep]) -> list[Batch]:
    """Each step's micro batches together."""
    return [together(batch for batch in step.micro_batches) for step in steps]


def together(batches: Iterator[Batch]) -> Batch:
    parts = list(batches)
    sources = [part.source for part in parts if part.source is not None]
    return Batch(
        source=torch.cat(sources) if sources else None,
        target=torch.cat([part.target for part in parts]),
        mask=torch.cat([part.mask for part in parts]),
        prompts=tuple(prompt for part in parts for prompt in part.prompts),
        tasks=tuple(task for part in parts for task in part.tasks),
        places=tuple(place for part in parts for place in part.places),
    )


def same(batch: Batch, other: Batch) -> bool:
    if batch.source is None or other.source is None:
        sources = batch.source is other.source
    else:
        sources = torch.equal(batch.source, other.source)
    tensors = torch.equal(batch.target, other.target) and torch.equal(batch.mask, other.mask)
    words = (batch.prompts, batch.tasks, batch.places) == (other.prompts, other.tasks, other.places)
    return sources and tensors and words


def all_same(batches: list[Batch], others: list[Batch]) -> bool:
    return len(batches) == len(others) and all(map(same, batches, others))


@pytest.mark.parametrize("task", TASK_NAMES)
def test_every_stage_of_the_world_has_its_batches(data: Path, task: str):
    samples = opened(data, task)
    assert isinstance(samples, StageData)
    found = steps(samples)
    assert [step.step for step in found] == list(range(STEPS))
    for number, batch in enumerate(whole(found)):
        assert batch.source is not None
        assert batch.source.shape == batch.target.shape == (GLOBAL_BATCH, 3, 32, 32)
        assert batch.places == tuple(range(number * GLOBAL_BATCH, (number + 1) * GLOBAL_BATCH))
        assert batch.target.dtype == torch.uint8
        assert batch.target.min() < 100 < 150 < batch.target.max()
        assert set(batch.mask.unique().tolist()) <= {0, 1}
        assert batch.tasks == (task,) * GLOBAL_BATCH
        assert (batch.mask.min() == 1) == (task != "inpaint")
    assert all(step.num_failed == 0 and step.waited > 0 for step in found)


@pytest.mark.parametrize("task", ["inpaint", "editing"])
def test_prompts_are_read_ahead_as_they_will_be_used(data: Path, task: str):
    """With the captions dropped that training drops, and none after the last step."""
    recipe = short(world()).replace(cache_text=True, caption_dropout=0.5)
    found = steps(opened(data, task, recipe))
    used = [
        with_captions_dropped(batch.prompts, batch.places, recipe.seed, task, recipe.caption_dropout)
        for batch in whole(found)
    ]
    assert [step.next_prompts for step in found] == [*used[1:], ()]
    assert 0 < sum(words.count("") for words in used) < STEPS * GLOBAL_BATCH


def test_a_base_learns_from_captions_and_pictures_alone(data: Path):
    stage = world_base().stages[0].replace(scenes=None, manifests=world().stages[0].manifests)
    recipe = short(world_base().replace(stages=(stage,)))
    for batch in whole(steps(opened(data, "text-to-image", recipe))):
        assert batch.source is None
        assert batch.mask.min() == 1


def test_any_number_of_workers_gives_the_same_batches(data: Path):
    expected = whole(steps(opened(data)))
    for num_workers in (1, 2):
        assert all_same(whole(steps(opened(data, loading=Loading(num_workers=num_workers)))), expected)


@pytest.mark.parametrize("resolution", [SQUARE, ANY_SHAPE])
def test_any_number_of_processes_shares_the_same_global_batches(data: Path, resolution: Resolution):
    samples = opened(data, "customized", short(world(), resolution))
    expected = whole(steps(samples))
    for size in (2, 8):
        ranks = [steps(samples, processes=Processes(rank, size, CPU)) for rank in range(size)]
        found = [together(b for part in parts for b in part.micro_batches) for parts in zip(*ranks, strict=True)]
        assert all_same(found, expected)


def test_micro_batches_are_parts_of_the_same_batch(data: Path):
    expected = whole(steps(opened(data)))
    larger = steps(opened(data, recipe=short(world(), micro_batch=4)))
    assert [len(step.micro_batches) for step in larger] == [2] * STEPS
    assert all_same(whole(larger), expected)


def test_starting_late_is_skipping(data: Path):
    samples = opened(data, "editing")
    assert all_same(whole(steps(samples, 3)), whole(steps(samples))[3:])
    assert steps(samples, STEPS) == []


def test_a_step_has_one_size_and_proportions_are_kept(data: Path):
    found = whole(steps(opened(data, recipe=short(world(), ANY_SHAPE))))
    assert {batch.target.shape for batch in found} == {(GLOBAL_BATCH, 3, 28, 36)}


@pytest.fixture
def broken(data: Path, tmp_path: Path) -> Path:
    """The pictures of the inpainting manifest, two of them gone."""
    rows = open_manifest(data / "inpaint-cocostuff", "inpaint")
    root = Path(shutil.copytree(rows.root, tmp_path / "pictures"))
    for index in (2, 5):
        (root / rows.row(index)["image_uri"]).unlink()
    return root


def test_failures_are_replaced_alike_counted_and_logged_once(
    data: Path, broken: Path, caplog: pytest.LogCaptureFixture
):
    roots = {"inpaint-cocostuff": broken}
    rows = open_manifest(data / "inpaint-cocostuff", "inpaint")
    gone = {rows.row(index)["sample_id"] for index in (2, 5)}
    with caplog.at_level(logging.WARNING, "cologen.trainer.data.loading"):
        found = steps(opened(data, roots=roots))
    assert len(caplog.records) == 2
    assert all(any(name in record.getMessage() for record in caplog.records) for name in gone)
    assert all_same(whole(steps(opened(data, roots=roots, loading=Loading(num_workers=1)))), whole(found))
    samples = opened(data)
    expected = whole(steps(samples))
    for step, batch, other in zip(found, whole(found), expected, strict=True):
        lost = [one.candidates[0] in (2, 5) for one in samples.schedule.work(step.step).assignments]
        kept = [number for number, each in enumerate(lost) if not each]
        assert step.num_failed >= sum(lost)
        assert torch.equal(batch.target[kept], other.target[kept])
        assert [batch.prompts[number] for number in kept] == [other.prompts[number] for number in kept]
    assert sum(step.num_failed for step in found) >= 4


def test_facts_say_what_decides_the_batches(data: Path):
    facts = opened(data).facts()
    assert facts == opened(data, loading=Loading(num_workers=2)).facts()
    assert list(facts["buckets"]) == ["32x32"]
    source = facts["buckets"]["32x32"]["sources"]["inpaint-cocostuff"]
    assert (source["num_rows"], source["weight"]) == (14, 14.0)


def test_mixed_stages_have_the_shares_that_were_asked_for(data: Path):
    stage = world().stages[0]
    mixed = stage.replace(
        task="mixed",
        manifests=stage.manifests | world().stages[1].manifests,
        task_shares={"inpaint": 3.0, "grounding": 1.0},
    )
    recipe = short(world().replace(stages=(mixed,)))
    for batch in whole(steps(opened(data, "mixed", recipe))):
        assert sorted(batch.tasks) == ["grounding"] * 2 + ["inpaint"] * 6


def test_a_stage_with_samples_of_another_task_has_both_and_the_masks(data: Path):
    inpaint, grounding, *_ = world().stages
    both = grounding.replace(
        manifests=inpaint.manifests | grounding.manifests, task_shares={"inpaint": 1.0, "grounding": 3.0}, rho=1.0
    )
    recipe = short(world().replace(stages=(both,)))
    for batch in whole(steps(opened(data, "grounding", recipe))):
        assert sorted(batch.tasks) == ["grounding"] * 6 + ["inpaint"] * 2
        holes = dict(zip(batch.tasks, batch.mask.flatten(1).float().mean(1), strict=True))
        assert holes["grounding"] == 1 and 0 < holes["inpaint"] < 1


def test_a_run_that_stops_leaves_no_worker(data: Path):
    with closing(opened(data, loading=Loading(num_workers=1)).steps(0, ALONE)) as running:
        assert next(running).step == 0


def test_mistakes_are_said(data: Path):
    with pytest.raises(ValueError, match="num_workers is 0 or more"):
        Loading(num_workers=-1)
    with pytest.raises(FileNotFoundError, match=r"no manifest\.json"):
        opened(data / "nowhere")
    with pytest.raises(ValueError, match="cannot be divided over 3 processes"):
        next(opened(data).steps(0, Processes(0, 3, CPU)))


def test_a_picture_that_is_newer_than_its_manifest_is_named_once(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another picture of the same size loads as well as the one that was there."""
    folder = shutil.copytree(data / "inpaint-cocostuff", tmp_path / "inpaint-cocostuff")
    built = (folder / "manifest.json").stat().st_mtime
    root = shutil.copytree(open_manifest(folder, "inpaint").root, tmp_path / "pictures")
    for path in root.rglob("*"):
        os.utime(path, (built - 10, built - 10))
    samples = opened(tmp_path, roots={"inpaint-cocostuff": root})
    steps(samples)
    assert not caplog.records
    for path in root.rglob("*.jpg"):
        os.utime(path, (built + 10, built + 10))
    steps(samples)
    (record,) = caplog.records
    assert "was written after the manifest was built" in record.getMessage()


def test_a_manifest_with_fewer_rows_than_a_step_takes_is_named(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    few = short(world())
    opened(data, recipe=few.replace(stages=[few.stages[0].replace(global_batch=128)]))
    (record,) = caplog.records
    assert "inpaint-cocostuff has" in record.getMessage()
    assert "each step takes some 128" in record.getMessage()
