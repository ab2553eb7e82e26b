"""Bytes become what codecs read, whatever order they lie in."""

from pathlib import Path

import torch

from cologen.datagen.samples import render
from cologen.model.conditions import Size, conditions, read_given
from cologen.model.tasks import TASKS
from cologen.trainer.data.batch import signed
from cologen.trainer.data.manifests import open_manifest
from tests.trainer.made_up import batch


def test_bytes_become_numbers_from_minus_one_to_one():
    shades = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    found = signed(shades)
    assert found.min() == -1 and found.max() == 1
    assert ((found + 1) * 127.5).round().byte().equal(shades.contiguous())
    across = shades.contiguous(memory_format=torch.channels_last)
    assert signed(across).equal(found)
    assert shades[0, 0, 0, 1] == 1  # as it was


def test_pictures_move_and_words_stay():
    moved = batch(size=3).to(torch.device("meta"))
    assert {moved.target.device.type, moved.mask.device.type} == {"meta"}
    assert (len(moved), moved.prompts) == (3, batch(size=3).prompts)
    assert batch(source=False).to(torch.device("meta")).source is None


def test_training_and_inference_make_the_same_of_a_hole(data: Path):
    rows = open_manifest(data / "inpaint-cocostuff", "inpaint")
    sample = render(rows.row(0), rows.root)
    assert sample.mask is not None
    trained = signed(torch.from_numpy(sample.source).permute(2, 0, 1)[None])
    given = read_given(TASKS["inpaint"], sample.target, sample.mask, None)
    shown = conditions(given, Size(height=trained.shape[2], width=trained.shape[3]), 1).sources[0]
    torch.testing.assert_close(shown, trained, atol=1e-6, rtol=0)
