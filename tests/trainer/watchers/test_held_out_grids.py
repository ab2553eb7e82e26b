"""Each validation that drew samples leaves a picture and the measures beside it, from the first process alone."""

import json
import math
from pathlib import Path

import torch
from PIL import Image

from cologen.trainer.distributed import Processes
from cologen.trainer.loop.watcher import Watcher
from cologen.trainer.watchers.held_out_grids import HeldOutGrids, held_out_grid_path
from tests.trainer.made_up import ALONE, held_out_sample, short, validation


def test_picture_and_measures_are_written(tmp_path: Path):
    grids = HeldOutGrids(tmp_path, short(), ALONE)
    assert isinstance(grids, Watcher)
    samples = (held_out_sample(0, l1=0.25, ssim=math.nan), held_out_sample(1, "grounding"))
    grids.validated(validation(1, 4, samples=samples))
    path = held_out_grid_path(tmp_path, short(), 1, 4)
    assert path == tmp_path / "samples" / "1-grounding-held-out-00000004.png"
    with Image.open(path) as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(maxcolors=1 << 20) or []}
    assert {(shade, shade, shade) for shade in (10, 11, 100, 101, 200, 201)} <= colours
    assert json.loads(path.with_suffix(".json").read_text()) == [
        {"sample_id": "made/0#0", "task": "inpaint", "prompt": "sample 0", "measures": {"l1": 0.25, "ssim": None}},
        {"sample_id": "made/1#0", "task": "grounding", "prompt": "sample 1", "measures": {}},
    ]


def test_without_samples_or_in_another_process_nothing_is_written(tmp_path: Path):
    HeldOutGrids(tmp_path, short(), ALONE).validated(validation(0, 4))
    second = Processes(1, 2, torch.device("cpu"))
    HeldOutGrids(tmp_path, short(), second).validated(validation(0, 4, samples=(held_out_sample(0),)))
    assert list(tmp_path.iterdir()) == []
