"""The same samples give the same picture, also after an interruption, and training is not touched."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cologen.model.bundle import Bundle, build
from cologen.model.flux1 import CoLoGenTransformer2DModel
from cologen.model.presets import preset
from cologen.trainer.data.batch import Batch
from cologen.trainer.loop.watcher import Watcher
from cologen.trainer.watchers.grids import Grids, generate, grid_path
from tests.trainer.made_up import ALONE, batch, loaded, report, short


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    made = build(preset("world-tiny"))
    made.transformer.add_expert(0)
    for name, weight in made.transformer.named_parameters():
        if name.endswith(".up"):
            weight.data.normal_(std=0.1, generator=torch.Generator().manual_seed(0))
    return made


def drawn(bundle: Bundle, of: Batch, seed: int = 0) -> torch.Tensor:
    return generate(bundle, of, num_steps=2, seed=seed)


def test_pictures_are_of_the_target_s_size_and_range(bundle: Bundle):
    made = drawn(bundle, batch(size=2, side=16))
    assert made.shape == (2, 3, 16, 16)
    assert made.abs().max() <= 1


def test_a_sample_s_picture_is_its_own(bundle: Bundle):
    together, alone = drawn(bundle, batch(size=3)), drawn(bundle, batch(size=3).to(torch.device("cpu")))
    assert torch.equal(together, alone)
    third = _part(batch(size=3), slice(2, 3))
    torch.testing.assert_close(drawn(bundle, third), together[2:], atol=1e-5, rtol=0)
    assert not torch.allclose(drawn(bundle, third, seed=1), together[2:], atol=1e-3)
    elsewhere = dataclasses.replace(third, places=(7,))
    assert not torch.allclose(drawn(bundle, elsewhere), together[2:], atol=1e-3)


def test_source_and_prompt_are_seen(bundle: Bundle):
    of = batch(size=1)
    before = drawn(bundle, of)
    others = (
        dataclasses.replace(of, source=torch.full_like(of.target, 255)),
        dataclasses.replace(of, prompts=("a red cube",)),
    )
    for other in (*others, dataclasses.replace(of, source=None)):
        assert not torch.allclose(drawn(bundle, other), before, atol=1e-4)


def test_distilled_bases_that_fill_see_the_mask_and_their_guidance(bundle: Bundle):
    shape = {**bundle.preset.transformer, "in_channels": 48 + 48 + 16, "out_channels": 48, "guidance_embeds": True}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformer = CoLoGenTransformer2DModel(**shape)
    for weight in transformer.parameters():
        weight.data = weight.data.to(torch.bfloat16)
    text = bundle.text.to(torch.bfloat16)  # type: ignore[attr-defined]
    fill = Bundle(
        preset=dataclasses.replace(bundle.preset, guidance=3.5), transformer=transformer, codec=bundle.codec, text=text
    )
    of = batch(size=1)
    before = drawn(fill, of)
    hidden = dataclasses.replace(of, mask=torch.ones_like(of.mask))
    assert not torch.allclose(drawn(fill, hidden), before, atol=1e-3)
    other = dataclasses.replace(fill, preset=dataclasses.replace(fill.preset, guidance=30.0))
    assert not torch.equal(drawn(other, of), before)
    bundle.text.to(torch.float32)  # type: ignore[attr-defined]


@pytest.mark.parametrize("training", [True, False])
def test_training_goes_on_as_before(bundle: Bundle, training: bool):
    bundle.transformer.train(training)
    state = torch.get_rng_state()
    made = drawn(bundle, batch())
    assert bundle.transformer.training == training
    assert torch.equal(torch.get_rng_state(), state)
    assert not made.requires_grad
    bundle.transformer.eval()
    assert torch.equal(drawn(bundle, batch()), made)  # without the routers' noise either way


def test_the_first_step_s_samples_are_drawn_at_the_end(bundle: Bundle, tmp_path: Path):
    recipe = short()
    grids = Grids(tmp_path, recipe, ALONE)
    assert isinstance(grids, Watcher)
    grids.stage_begins(1, recipe.stages[1], 0)
    for step in range(3):
        grids.step_done(1, loaded(step, "grounding"), report(1.0), 0.1)
    grids.stage_ends(1, bundle)
    path = grid_path(tmp_path, recipe, 1)
    before = path.read_bytes()
    sheet = np.asarray(Image.open(path))
    assert sheet.shape[1] == 20 + 2 * (3 * 224 + 2 * 8 + 20)  # three tiles, twice
    # a run that goes on draws the same, whatever samples it sees
    path.unlink()
    again = Grids(tmp_path, recipe, ALONE)
    again.stage_begins(1, recipe.stages[1], 2)
    again.step_done(1, loaded(2, "grounding"), report(1.0), 0.1)
    again.stage_ends(1, bundle)
    assert path.read_bytes() == before


def test_without_sources_there_are_two_columns(bundle: Bundle, tmp_path: Path):
    recipe = short(base=True, num_samples=1)
    grids = Grids(tmp_path, recipe, ALONE)
    grids.stage_begins(0, recipe.stages[0], 0)
    grids.step_done(0, loaded(0, source=False), report(1.0), 0.1)
    grids.stage_ends(0, bundle)
    assert np.asarray(Image.open(grid_path(tmp_path, recipe, 0))).shape[1] == 20 + 2 * 224 + 8 + 20


def test_each_source_has_its_column_when_a_run_goes_on_too(bundle: Bundle, tmp_path: Path):
    recipe, one, path = short(num_samples=1), loaded(0), tmp_path / "samples" / "0-inpaint.png"
    several = tuple(
        dataclasses.replace(each, more_sources=(each.target, each.target // 2)) for each in one.micro_batches
    )
    grids = Grids(tmp_path, recipe, ALONE)
    grids.stage_begins(0, recipe.stages[0], 0)
    grids.step_done(0, dataclasses.replace(one, micro_batches=several), report(1.0), 0.1)
    again = Grids(tmp_path, recipe, ALONE)
    again.stage_begins(0, recipe.stages[0], 2)
    again.stage_ends(0, bundle)
    assert np.asarray(Image.open(path)).shape[1] == 20 + 5 * 224 + 4 * 8 + 20


def test_other_processes_draw_and_write_nothing(bundle: Bundle, tmp_path: Path):
    recipe = short()
    grids = Grids(tmp_path, recipe, dataclasses.replace(ALONE, rank=1))
    grids.stage_begins(0, recipe.stages[0], 0)
    grids.step_done(0, loaded(0), report(1.0), 0.1)
    grids.stage_ends(0, bundle)
    assert list(tmp_path.iterdir()) == []


def _part(of: Batch, part: slice) -> Batch:
    return Batch(**{field.name: getattr(of, field.name)[part] for field in dataclasses.fields(Batch)})
