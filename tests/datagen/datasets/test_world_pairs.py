"""What the synthetic dataset writes in each format of pairs, the readers of that format give back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cologen.datagen import images
from cologen.datagen.datasets import Dataset
from cologen.datagen.datasets.files.index import Index
from cologen.datagen.datasets.files.parquet_rows import ParquetRows
from cologen.datagen.datasets.magicbrush import open_magicbrush
from cologen.datagen.datasets.omniedit import open_omniedit
from cologen.datagen.datasets.subjects200k import open_subjects200k
from cologen.datagen.datasets.triplets import open_triplets
from cologen.datagen.pair_records import Pair
from cologen.datagen.records import Box
from cologen.datagen.world.edits import sample_edit
from cologen.datagen.world.formats import magicbrush, omniedit, subjects200k, triplets
from cologen.datagen.world.formats.drawing import World, draw
from cologen.datagen.world.render import render
from cologen.datagen.world.subjects import subject_pair

pytestmark = pytest.mark.slow

WORLD = World(num_scenes=12, width=96, height=80, seed=5)


def pairs_of(source: Dataset[Pair]) -> list[Pair]:
    readings = [source.read(index) for index in range(len(source))]
    assert [rejection for reading in readings for rejection in reading.rejections] == []
    return [reading.item for reading in readings if reading.item]


def pixels(root: Path, uri: str, box: Box | None = None) -> np.ndarray:
    found = images.decode(images.read_bytes(root, uri))
    if box is None:
        return found.astype(int)
    x0, y0, x1, y1 = map(int, box.xyxy())
    return found[y0:y1, x0:x1].astype(int)


def unlike(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first - second).mean())


def test_subject_pairs_come_back_in_both_directions(tmp_path: Path) -> None:
    subjects200k.write(tmp_path, WORLD)
    forth_and_back = {split: pairs_of(open_subjects200k(tmp_path, split)) for split in ("train", "val")}
    for split, pairs in forth_and_back.items():
        indices = [i for i in range(WORLD.num_scenes) if draw(WORLD, i).split == split]
        assert len(pairs) == 2 * len(indices) > 0
        for place, index in enumerate(indices):
            made = subject_pair(WORLD.seed, index)
            first, second = (render(scene, WORLD.width, WORLD.height).picture for scene in (made.first, made.second))
            forth, back = pairs[2 * place : 2 * place + 2]
            assert (forth.instruction, back.instruction) == (made.second_words, made.first_words)
            assert forth.subject == back.subject == made.item
            assert unlike(pixels(tmp_path, forth.source_uri, forth.source_box), first) < 8
            assert unlike(pixels(tmp_path, forth.target_uri, forth.target_box), second) < 8
            assert (back.source_box, back.target_box) == (forth.target_box, forth.source_box)


def test_edits_of_omniedit_come_back(tmp_path: Path) -> None:
    omniedit.write(tmp_path, WORLD)
    pairs = pairs_of(open_omniedit(tmp_path)) + pairs_of(open_omniedit(tmp_path, "val"))
    scenes = [draw(WORLD, index) for index in range(WORLD.num_scenes)]
    assert 0.8 * WORLD.num_scenes <= len(pairs) <= WORLD.num_scenes
    assert {pair.edit_type for pair in pairs} <= set(omniedit.TASKS.values())
    for pair in pairs:
        source, target = pixels(tmp_path, pair.source_uri), pixels(tmp_path, pair.target_uri)
        assert min(unlike(source, drawing.rendering.picture) for drawing in scenes) < 8
        assert (np.abs(source - target).max(axis=-1) > 60).any()
        assert len(pair.instructions) == 2
        assert all(5 < score <= 10 for _, score in pair.scores)


@pytest.mark.parametrize("form", [magicbrush.write, magicbrush.write_test])
def test_sessions_of_magicbrush_come_back(form: Callable[..., None], tmp_path: Path) -> None:
    form(tmp_path, WORLD)
    splits = ["test"] if form is magicbrush.write_test else ["train", "val"]
    pairs = [pair for split in splits for pair in pairs_of(open_magicbrush(tmp_path, split))]
    assert WORLD.num_scenes < len(pairs) <= magicbrush.MAX_TURNS * WORLD.num_scenes
    starts = {draw(WORLD, index).rendering.picture.tobytes() for index in range(WORLD.num_scenes)}
    ends: set[bytes] = set()
    for pair in pairs:
        assert pair.mask_uri is not None
        source, target = pixels(tmp_path, pair.source_uri), pixels(tmp_path, pair.target_uri)
        mask = images.decode_map(images.read_bytes(tmp_path, pair.mask_uri))
        assert set(np.unique(mask[..., 3])) == {0, 255}
        assert (source == target)[mask[..., 3] == 255].all() and (source != target).any()
        np.testing.assert_array_equal(mask[mask[..., 3] == 255][:, :3], source[mask[..., 3] == 255])
        known = source.astype(np.uint8).tobytes()
        assert known in starts or known in ends
        ends.add(target.astype(np.uint8).tobytes())


@pytest.mark.parametrize(("form", "kind"), [(triplets.write, Index), (triplets.write_parquet, ParquetRows)])
def test_triplets_come_back(form: Callable[..., None], kind: type, tmp_path: Path) -> None:
    form(tmp_path, WORLD)
    for split in ("train", "val"):
        source = open_triplets(tmp_path, split)
        assert isinstance(source.rows, kind)
        drawings = [drawing for drawing in (draw(WORLD, i) for i in range(WORLD.num_scenes)) if drawing.split == split]
        for pair, drawing in zip(pairs_of(source), drawings, strict=True):
            edit = sample_edit(drawing.scene, WORLD.seed)
            after = render(edit.after, WORLD.width, WORLD.height).picture
            assert (pair.instruction, pair.edit_type) == (edit.instruction, edit.kind)
            assert unlike(pixels(tmp_path, pair.source_uri), drawing.rendering.picture) < 8
            assert unlike(pixels(tmp_path, pair.target_uri), after) < 8
