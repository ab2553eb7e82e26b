"""Rows of one and of two sources: each is rendered as its files say, and a micro batch holds one kind alone."""

from pathlib import Path

import numpy as np
import torch

from cologen.datagen import images
from cologen.datagen.manifest import load_manifest, read_part
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.schemas import MORE_SOURCES, SCHEMAS
from cologen.datagen.review.sheet import tiles_of
from cologen.datagen.review.verify import verify
from cologen.trainer.data.loading import StageSamples, open_stage
from cologen.trainer.data.manifests import open_manifest, source_counts
from cologen.trainer.recipes.curriculum import Recipe
from tests.trainer.small_runs import ALONE, recipe


def editing(micro_batch: int = 2) -> Recipe:
    """One stage of editing at the pictures' own proportions; its steps have four samples."""
    of = recipe(f"micro_batch={micro_batch}")
    stage = of.stages[4].replace(rho=1.0, alpha=0.0)
    return of.replace(stages=(stage,))


def opened(data: Path, micro_batch: int = 2) -> StageSamples:
    return open_stage(editing(micro_batch), 0, data)


def test_only_parts_that_need_it_have_the_column(several: Path) -> None:
    folder = Folder.open(several / "editing-triplets")
    manifest = load_manifest(folder)
    assert (manifest.rows, manifest.rejected) == (12, {"identical_pair": 1})
    tables = [read_part(folder, part.file) for part in manifest.parts]
    of_one = SCHEMAS["editing"]
    assert [table.schema for table in tables] == [of_one.append(MORE_SOURCES), of_one]
    assert not [finding for each in verify(folder, Path(manifest.root), workers=1) for finding in each]
    rows = open_manifest(several / "editing-triplets", "editing")
    assert source_counts(rows).tolist() == [1, 2] * 4 + [1] * 4
    assert list(tiles_of(rows.row(1), rows.root)) == ["source", "source 2", "target"]


def test_a_manifest_of_one_source_a_row_is_as_it_was(data: Path) -> None:
    folder = Folder.open(data / "editing-triplets")
    tables = [read_part(folder, part.file) for part in load_manifest(folder).parts]
    assert all(table.schema.equals(SCHEMAS["editing"]) for table in tables)
    rows = open_manifest(data / "editing-triplets", "editing")
    assert set(source_counts(rows).tolist()) == {1}
    found = open_stage(editing(), 0, data).schedule
    assert [bucket.name for bucket in found.buckets] == [""]


def test_a_step_has_one_number_of_sources_and_every_row_comes_equally_often(several: Path) -> None:
    found = opened(several).schedule
    works = [found.work(step) for step in range(30)]
    numbers = [work.num_sources for work in works]
    assert numbers.count(2) == 10, "a third of the rows has two sources, and so has a third of the samples"
    rows = [assignment.candidates[0] for work in works for assignment in work.assignments]
    assert np.bincount(rows).tolist() == [10] * 12
    of_two = {row for work in works if work.num_sources == 2 for each in work.assignments for row in each.candidates}
    assert of_two == {1, 3, 5, 7}


def test_pictures_of_both_sources_reach_the_batch(several: Path) -> None:
    samples, root = opened(several), several.parent / "own"
    work = next(work for work in map(samples.schedule.work, range(3)) if work.num_sources == 2)
    pixels = samples.fetcher(work).pixels
    assert pixels.source is not None and len(pixels.more_sources) == 1
    for number, assignment in enumerate(work.assignments):
        row = assignment.candidates[0]
        for name, shown in (("first", pixels.source), ("second", pixels.more_sources[0]), ("target", pixels.target)):
            whole = images.decode(images.read_bytes(root, f"{row}-{name}.png"))
            assert abs(shown[number].mean(dtype=float) - whole.mean(dtype=float)) < 30
    loaded = list(samples.steps(0, ALONE))
    assert {len(batch.sources) for step in loaded for batch in step.micro_batches} == {1, 2}
    assert all(len({len(batch.sources) for batch in step.micro_batches}) == 1 for step in loaded)
    again = next(samples.steps(3, ALONE))
    for one, other in zip(loaded[3].micro_batches, again.micro_batches, strict=True):
        assert all(map(torch.equal, one.sources, other.sources)) and one.places == other.places


def test_a_damaged_second_source_is_one_failure_and_another_row_of_two_takes_its_place(several: Path) -> None:
    samples = opened(several)
    work = next(work for work in map(samples.schedule.work, range(3)) if work.num_sources == 2)
    lost = work.assignments[0].candidates[0]
    (several.parent / "own" / f"{lost}-second.png").write_bytes(b"no picture")
    fetched = samples.fetcher(work)
    [failure] = fetched.failures
    assert failure.sample_id.endswith(f"{lost + 1:09d}#0") and "not_an_image" in failure.reason
    assert all(f"change {lost}" != label.prompt for label in fetched.labels)
