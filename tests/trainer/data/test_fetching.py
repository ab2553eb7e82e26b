"""Rows of every task become pixels of one size, and one that fails is replaced the same way every time."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cologen.datagen.manifest.folder import Folder
from cologen.datagen.samples import render
from cologen.model.tasks import TASK_NAMES, TaskName
from cologen.pictures.masks import HOLE_GREY
from cologen.trainer.data.fetching import Fetcher, OpenedComponent
from cologen.trainer.data.manifests import open_manifest
from cologen.trainer.recipes.world import WORLD_MANIFESTS
from cologen.trainer.schedule.buckets import Assignment, Work

ALL = Work((32, 32), tuple(Assignment(place, 0, (place, place + 1)) for place in range(8)))


def opened(data: Path, task: TaskName, root: Path | None = None) -> OpenedComponent:
    folder = data / next(iter(WORLD_MANIFESTS[task]))
    return OpenedComponent(open_manifest(folder, task, root), Folder.open(folder))


@pytest.fixture
def broken(data: Path, tmp_path: Path) -> OpenedComponent:
    """The inpainting manifest, the picture of whose row 3 has been cut short."""
    whole = opened(data, "inpaint")
    root = Path(shutil.copytree(whole.rows.root, tmp_path / "pictures"))
    picture = root / whole.rows.row(3)["image_uri"]
    picture.write_bytes(picture.read_bytes()[:200])
    return opened(data, "inpaint", root)


@pytest.mark.parametrize("task", TASK_NAMES)
def test_rows_of_every_task_become_pixels(data: Path, task: TaskName):
    source = opened(data, task)
    fetched = Fetcher(components=(source,), seed=0, task=task)(ALL)
    pixels = fetched.pixels
    assert fetched.places == tuple(range(8))
    assert fetched.failures == ()
    assert pixels.source is not None
    assert pixels.source.shape == pixels.target.shape == (8, 32, 32, 3)
    assert [each.prompt for each in fetched.labels] == [source.rows.row(index)["caption"] for index in range(8)]
    assert {each.task for each in fetched.labels} == {task}
    assert (pixels.mask is not None) == (task == "inpaint")


def test_at_its_own_size_a_sample_is_what_render_gives(data: Path):
    source = opened(data, "inpaint")
    work = Work((64, 48), ALL.assignments)
    pixels = Fetcher(components=(source,), seed=0, task="inpaint")(work).pixels
    for index in range(8):
        sample = render(source.rows.row(index), source.rows.root)
        assert pixels.source is not None and pixels.mask is not None
        assert np.array_equal(pixels.source[index], sample.source)
        assert np.array_equal(pixels.target[index], sample.target)
        assert np.array_equal(pixels.mask[index], sample.mask)
        assert (pixels.source[index][pixels.mask[index] == 1] == HOLE_GREY).all()


def test_text_to_image_has_the_caption_and_the_picture_and_no_source(data: Path):
    source = opened(data, "inpaint")
    alone = Fetcher(components=(source,), seed=0, task="text-to-image")(ALL)
    pairs = Fetcher(components=(source,), seed=0, task="inpaint")(ALL)
    assert alone.pixels.source is None and alone.pixels.mask is None
    assert [each.prompt for each in alone.labels] == [each.prompt for each in pairs.labels]
    assert {each.task for each in alone.labels} == {"text-to-image"}


def test_crops_are_keyed_by_seed_stage_and_place(data: Path):
    source = opened(data, "editing")
    fetcher = Fetcher(components=(source,), seed=0, task="editing")
    first = fetcher(ALL).pixels.target
    assert np.array_equal(fetcher(Work(ALL.size, ALL.assignments[::-1])).pixels.target, first[::-1])
    assert not np.array_equal(replace(fetcher, seed=1)(ALL).pixels.target, first)
    assert not np.array_equal(replace(fetcher, task="mixed")(ALL).pixels.target, first)


def test_a_row_that_fails_is_replaced_and_nothing_else_changes(data: Path, broken: OpenedComponent):
    whole = Fetcher(components=(opened(data, "inpaint"),), seed=0, task="inpaint")
    cut = replace(whole, components=(broken,))
    expected, found = whole(ALL), cut(ALL)
    assert [failure.sample_id for failure in found.failures] == [broken.rows.row(3)["sample_id"]]
    assert "truncated_image" in found.failures[0].reason
    kept = [0, 1, 2, 4, 5, 6, 7]
    assert np.array_equal(found.pixels.target[kept], expected.pixels.target[kept])
    assert found.labels[3] == expected.labels[4]
    alone = cut(Work(ALL.size, ALL.assignments[3:4]))
    assert np.array_equal(alone.pixels.target[0], found.pixels.target[3])
    assert alone.failures == found.failures


def test_a_place_without_any_row_left_stops_with_the_reason(data: Path, tmp_path: Path):
    nowhere = opened(data, "inpaint", tmp_path)
    with pytest.raises(ValueError, match=r"2 samples in a row cannot be loaded.*missing_image.*looked for under"):
        Fetcher(components=(nowhere,), seed=0, task="inpaint")(ALL)
