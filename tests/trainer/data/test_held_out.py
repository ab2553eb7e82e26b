"""Held-out rows are the same in every run, show their pictures as training would, and are never trained on."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from cologen.datagen import images
from cologen.datagen.manifest import load_manifest, save_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.samples import render
from cologen.trainer.data.held_out import HeldOutRows, open_held_out
from cologen.trainer.data.loading import open_stage
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.held_out import HeldOut
from tests.trainer.small_runs import recipe

CPU = torch.device("cpu")


def opened(data: Path, of: Recipe, number: int = 0) -> HeldOutRows | None:
    return open_held_out(of, number, data, open_stage(of, number, data))


def holding_out(**names: tuple[str, ...]) -> Recipe:
    return recipe().replace(held_out=HeldOut(manifests=names))  # type: ignore[arg-type]


def test_rows_are_taken_evenly_from_all_manifests_of_a_task(data: Path):
    of = holding_out(control=("control-cocostuff-val", "control-multigen_depth-val"))
    names = [
        "cocostuff/validation-00000-of-00001/000000#0",
        "cocostuff/validation-00000-of-00001/000001#0",
        "multigen_depth/validation-00000-of-00001/000000#0",
        "multigen_depth/validation-00000-of-00001/000001#0",
    ]
    for most, expected in ((9, names), (4, names), (2, names[::2]), (3, names[:3]), (1, names[:1])):
        assert of.held_out is not None
        rows = opened(data, of.replace(held_out=of.held_out.replace(rows_per_task=most)), 2)
        assert rows is not None
        assert [row.sample_id for row in rows.rows] == expected
        assert rows.own_tasks == ("control",)


def test_a_stage_without_held_out_rows_has_none(data: Path):
    assert opened(data, recipe()) is None
    assert opened(data, holding_out(editing=("editing-triplets-val",)), 0) is None


def test_pictures_are_those_of_the_row(data: Path):
    rows = opened(data, holding_out(inpaint=("inpaint-cocostuff-val",)))
    assert rows is not None
    first, second = rows.batches([0, 1], CPU)
    (again,) = rows.batches([1], CPU)
    assert torch.equal(again.target, second.target) and torch.equal(again.mask, second.mask)
    assert first.target.shape == (1, 3, 32, 32)
    assert (first.tasks, first.places[0] != second.places[0]) == (("inpaint",), True)
    component = rows.fetcher.components[0]
    row = component.rows.row(0)
    sample = render(row, component.rows.root, component.folder)
    assert first.prompts == (sample.prompt,)
    # 64 x 48 becomes a square of 48, of which each pixel here is an average: the mean is kept.
    picture = images.decode(images.read_bytes(component.rows.root, row["image_uri"]), (64, 48))
    means = [picture[:, left : left + 48].mean() for left in range(17)]
    assert min(means) - 1 <= float(first.target.float().mean()) <= max(means) + 1
    assert set(np.unique(first.mask)) == {0, 1}


def test_tasks_that_hide_nothing_have_a_mask_that_covers_all(data: Path):
    rows = opened(data, holding_out(editing=("editing-triplets-val",)), 4)
    assert rows is not None
    for batch in rows.batches([0, 1], CPU):
        assert bool(batch.mask.all())
        assert batch.tasks == ("editing",)
        assert batch.source is not None


def test_a_picture_that_is_trained_on_is_refused_whatever_its_manifest_is_called(data: Path, tmp_path: Path):
    for name in ("inpaint-cocostuff", "control-cocostuff-val"):
        shutil.copytree(data / name, tmp_path / name)
    shutil.copytree(data / "inpaint-cocostuff", tmp_path / "mine")
    of = holding_out(inpaint=("mine",))
    with pytest.raises(
        ValueError,
        match=r"mine is held out, and stage inpaint trains on 14 of 14 pictures taken from it, the first "
        r"cocostuff/000000000001#0, with .*inpaint-cocostuff: build it of another split",
    ):
        opened(tmp_path, of)


def test_another_task_or_a_missing_manifest_is_named(data: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="inpaint-cocostuff-val holds samples of task inpaint, expected editing"):
        opened(data, holding_out(editing=("inpaint-cocostuff-val",)), 4)
    with pytest.raises(FileNotFoundError, match="nowhere-val"):
        opened(data, holding_out(inpaint=("nowhere-val",)))


def test_a_row_that_cannot_be_loaded_is_not_replaced(data: Path, tmp_path: Path):
    shutil.copytree(data / "inpaint-cocostuff-val", tmp_path / "inpaint-cocostuff-val")
    shutil.copytree(data / "inpaint-cocostuff", tmp_path / "inpaint-cocostuff")
    folder = Folder.open(tmp_path / "inpaint-cocostuff-val")
    (tmp_path / "empty").mkdir()
    save_manifest(folder, load_manifest(folder).model_copy(update={"root": str(tmp_path / "empty")}))
    rows = opened(tmp_path, holding_out(inpaint=("inpaint-cocostuff-val",)))
    assert rows is not None
    with pytest.raises(ValueError, match=r"a held-out row cannot be used.*cocostuff/000000000002#0"):
        list(rows.batches([0], CPU))


def test_the_protocol_is_of_rows_times_seed_and_size(data: Path):
    of = holding_out(inpaint=("inpaint-cocostuff-val",))
    assert of.held_out is not None
    others = [
        of.replace(seed=1),
        of.replace(resolution=of.resolution.replace(side=48)),
        of.replace(held_out=of.held_out.replace(times=(0.5,))),
        of.replace(held_out=of.held_out.replace(rows_per_task=1)),
    ]
    same = of.replace(held_out=of.held_out.replace(every=3, num_samples=0), name="another", micro_batch=2)
    found = [opened(data, each) for each in (of, same, *others)]
    protocols = [rows.protocol for rows in found if rows is not None]
    assert protocols[0] == protocols[1]
    assert len(set(protocols)) == 5
