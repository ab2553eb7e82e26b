"""Scenes in place of manifests: endless, the same for the same settings, and a base trains on them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cologen.datagen.world.captions import captions
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene
from cologen.trainer.data.loading import open_stage
from cologen.trainer.data.scenes import NUM_SCENES, SceneRows
from cologen.trainer.distributed import Processes
from cologen.trainer.recipes.catalog import load_recipe
from cologen.trainer.recipes.scenes import Scenes

SIMPLE = Scenes(level="simple", side=32)
SMALL = (
    "stages.0.warmup_steps=1",
    "stages.0.decay_steps=1",
    "stages.0.iterations=3",
    "micro_batch=2",
    "stages.0.global_batch=4",
)


def test_a_row_is_a_scene_its_first_caption_and_its_picture():
    row = (rows := SceneRows(SIMPLE)).row(7)
    scene = sample_scene(0, 7, "simple")
    assert (row["sample_id"], row["caption"]) == (scene.key, captions(scene, 1)[0])
    assert np.array_equal(rows.picture(row), render(scene, 32, 32).picture)


def test_rows_are_told_apart_by_level_side_and_seed():
    others = [SIMPLE, SIMPLE.replace(level="usual"), SIMPLE.replace(side=48), SIMPLE.replace(seed=1)]
    assert len({SceneRows(each).fingerprint for each in others}) == 4


@pytest.mark.parametrize("index", [-1, NUM_SCENES])
def test_there_are_so_many_scenes_and_no_more(index: int):
    with pytest.raises(IndexError):
        SceneRows(SIMPLE).row(index)


def test_a_stage_of_scenes_reads_no_manifest_and_repeats_no_scene(tmp_path: Path):
    samples = open_stage(load_recipe("world-base", SMALL), 0, tmp_path / "nothing")
    steps = list(samples.steps(0, Processes(0, 1, torch.device("cpu"))))
    prompts = [prompt for step in steps for batch in step.micro_batches for prompt in batch.prompts]
    pictures = [bytes(picture.numpy()) for step in steps for batch in step.micro_batches for picture in batch.target]
    assert len(prompts) == len(set(pictures)) == 12
    assert all(batch.source is None for step in steps for batch in step.micro_batches)
    again = next(iter(samples.steps(2, Processes(0, 1, torch.device("cpu")))))
    assert [bytes(p.numpy()) for batch in again.micro_batches for p in batch.target] == pictures[8:]
