"""Scenes in place of manifests: endless, the same for the same settings, and a base trains on them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cologen.datagen.drawn_pairs import PAIRS
from cologen.datagen.world.captions import captions
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene
from cologen.trainer.data.batch import Batch
from cologen.trainer.data.loading import StageSamples, open_stage
from cologen.trainer.data.scenes import SceneRows
from cologen.trainer.distributed import Processes
from cologen.trainer.recipes.catalog import load_recipe
from cologen.trainer.recipes.scenes import Scenes

SIMPLE = Scenes(level="simple", side=32)
SMALL = (
    "stages.0.warmup_steps=1",
    "stages.0.iterations=3",
    "micro_batch=2",
    "stages.0.global_batch=4",
)


def test_a_row_is_a_scene_its_first_caption_and_its_picture():
    row = SceneRows(SIMPLE).row(7)
    scene = sample_scene(0, 7, "simple")
    assert (row["sample_id"], row["caption"]) == (scene.key, captions(scene, 1)[0])
    assert np.array_equal(row["target"], render(scene, 32, 32).picture)


def test_a_row_of_pairs_has_two_pictures_of_the_task_whose_turn_it_is():
    tasks = list(PAIRS)
    rows = [SceneRows(SIMPLE, paired=True).row(index) for index in range(2 * len(tasks))]
    assert [row["sample_id"] for row in rows] == [f"{task}-{turn:08d}" for turn in range(2) for task in tasks]
    assert all(row["target"].shape == row["second"].shape == (32, 32, 3) and row["caption"] for row in rows)


def test_a_task_named_twice_comes_twice_as_often_with_pairs_of_its_own():
    rows = SceneRows(SIMPLE.replace(pair_tasks=("editing", "grounding", "editing")), paired=True)
    found = [rows.row(index)["sample_id"] for index in range(5)]
    assert found == [
        "editing-00000000", "grounding-00000000", "editing-00000001", "editing-00000002", "grounding-00000001"
    ]  # fmt: skip
    usual = SceneRows(SIMPLE, paired=True)
    assert np.array_equal(usual.row(1)["target"], rows.row(1)["target"]), "a pair is what its task and number say"


def test_rows_are_told_apart_by_level_side_seed_and_number_and_pairs_from_scenes():
    others = [
        SIMPLE, SIMPLE.replace(level="usual"), SIMPLE.replace(side=48), SIMPLE.replace(seed=1),
        SIMPLE.replace(number=9), SIMPLE.replace(pair_tasks=("editing",)),
    ]  # fmt: skip
    assert len({SceneRows(each, paired).fingerprint for each in others for paired in (False, True)}) == 12


def test_what_is_kept_is_the_same_and_changes_no_fingerprint():
    keeping, drawing = SceneRows(SIMPLE.replace(keep=True, given_share=0.5)), SceneRows(SIMPLE)
    assert keeping.row(3) is keeping.row(3)
    assert drawing.row(3) is not drawing.row(3)
    assert np.array_equal(keeping.row(3)["target"], drawing.row(3)["target"])
    assert keeping.fingerprint == drawing.fingerprint


@pytest.mark.parametrize("index", [-1, 9])
def test_there_are_so_many_scenes_and_no_more(index: int):
    with pytest.raises(IndexError):
        SceneRows(SIMPLE.replace(number=9)).row(index)


def opened(data: Path, *overrides: str) -> StageSamples:
    return open_stage(load_recipe("world-base", (*SMALL, *overrides)), 0, data / "nothing")


def batches(samples: StageSamples, first: int = 0) -> list[list[Batch]]:
    return [list(step.micro_batches) for step in samples.steps(first, Processes(0, 1, torch.device("cpu")))]


def pixels(of: list[list[Batch]]) -> list[bytes]:
    return [bytes(picture.numpy()) for step in of for batch in step for picture in batch.target]


def test_a_stage_of_scenes_reads_no_manifest_and_repeats_no_scene(tmp_path: Path):
    samples = opened(tmp_path, "stages.0.scenes.pair_share=0")
    found = batches(samples)
    assert len(pixels(found)) == len(set(pixels(found))) == 12
    assert all(batch.source is None for step in found for batch in step)
    assert pixels(batches(samples, 2)) == pixels(found)[8:]


def test_each_step_is_of_scenes_or_of_pairs_in_their_shares(tmp_path: Path):
    found = batches(opened(tmp_path, "stages.0.iterations=8", "stages.0.scenes.pair_share=0.25"))
    paired = [[batch.source is not None for batch in step] for step in found]
    assert all(len(set(step)) == 1 for step in paired)
    assert sum(step[0] for step in paired) == 2
    assert set(pixels(found)) == set(pixels(batches(opened(tmp_path, "stages.0.iterations=8",
        "stages.0.scenes.pair_share=0.25", "stages.0.scenes.keep=false"))))  # fmt: skip
