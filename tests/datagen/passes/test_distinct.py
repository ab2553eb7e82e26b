"""Repetitions are turned away across parts: which ones, is the same for any size and order of parts."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cologen.datagen.engine.jobs import Pass
from cologen.datagen.manifest import Manifest, commit_part, iterate_rows, read_part, save_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.pair_records import Pair
from cologen.datagen.passes.distinct import DistinctPass
from cologen.datagen.passes.pairs import PairRecipe
from cologen.datagen.passes.reading import Reader
from cologen.datagen.review.verify import verify

TOLD = [
    ("a.png", "b.png", "Change it."),
    ("a.png", "c.png", "Change it another way."),
    ("c.png", "gone.png", "Lose it."),
    ("a.png", "b.png", "The same once more."),
    ("b.png", "a.png", "Change it back."),
    ("a.png", "b-again.jpg", "Nearly the same once more."),
    ("b.png", "b-again.jpg", "Nothing."),
    ("a-again.jpg", "c.png", "And the other."),
    ("a.png", "a-dot.png", "Add a dot."),
]
KEPT = ["Change it.", "Change it another way.", "Change it back.", "Add a dot."]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLOGEN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, draw = tmp_path_factory.mktemp("triplets"), np.random.default_rng(0)
    for name in "abc":
        coarse = draw.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        smooth = cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{name}.png"), smooth)
        cv2.imwrite(str(folder / f"{name}-again.jpg"), smooth, [cv2.IMWRITE_JPEG_QUALITY, 90])
        dotted = cv2.circle(smooth, (48, 48), 5, (255, 0, 255), -1)
        cv2.imwrite(str(folder / f"{name}-dot.png"), dotted)
    lines = [json.dumps({"source": one, "target": two, "instruction": words}) for one, two, words in TOLD]
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def pass_over(root: Path, out: Path, part_size: int) -> DistinctPass:
    reader = Reader.of(Pair, "triplets", root, "train", part_size, None)
    recipe = PairRecipe(task="editing", source=reader.recipe)
    return DistinctPass.over(reader, recipe, Folder.open(out))


def build(pass_: Pass, order: int = 1) -> Manifest:
    """The pass run without the engine, backwards where ``order`` is -1."""
    pass_.folder.create()
    work, manifest = pass_.open(), pass_.manifest()
    reports = [commit_part(pass_.folder, at, work(pass_.part(at))) for at in range(manifest.num_parts)[::order]]
    manifest = manifest.finished(reports)
    save_manifest(pass_.folder, manifest)
    return manifest


@pytest.mark.parametrize(("part_size", "order"), [(1, 1), (2, -1), (4, 1), (100, 1)])
def test_the_same_pairs_are_distinct_for_any_parts(root: Path, tmp_path: Path, part_size: int, order: int) -> None:
    pass_ = pass_over(root, tmp_path / "out", part_size)
    candidates = build(pass_.candidates)
    assert candidates.rejected == {"missing_image": 1, "identical_pair": 1}
    manifest = build(pass_, order)
    assert [row["instruction"] for row in iterate_rows(pass_.folder, manifest)] == KEPT
    assert manifest.rejected == candidates.rejected | {"duplicate_image": 3}
    assert [found for found in verify(pass_.folder, root, workers=1) if found] == []


def test_the_pair_that_came_before_is_named(root: Path, tmp_path: Path) -> None:
    pass_ = pass_over(root, tmp_path / "out", 2)
    build(pass_.candidates)
    parts = build(pass_).parts
    rejected = [row for part in parts for row in read_part(pass_.folder, part.rejected_file).to_pylist()]
    repeats = {row["sample_id"]: row["detail"] for row in rejected if row["stage"] == "distinct"}
    name = "triplets/train/{:09d}#0"
    assert repeats == {
        name.format(at): f"the pictures of {name.format(first)} again" for at, first in ((4, 1), (6, 1), (8, 2))
    }


def test_rows_come_as_the_candidates_have_them(root: Path, tmp_path: Path) -> None:
    pass_ = pass_over(root, tmp_path / "out", 4)
    rows = {row["sample_id"]: row for row in iterate_rows(pass_.candidates.folder, build(pass_.candidates))}
    for row in iterate_rows(pass_.folder, build(pass_)):
        assert row == rows[row["sample_id"]]


def test_candidates_have_to_be_complete(root: Path, tmp_path: Path) -> None:
    pass_ = pass_over(root, tmp_path / "out", 4)
    pass_.candidates.folder.create()
    save_manifest(pass_.candidates.folder, pass_.candidates.manifest())
    with pytest.raises(AssertionError, match="to be completed first"):
        pass_.open()


def test_a_pair_whose_picture_is_gone_by_now_is_turned_away(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    copy.mkdir()
    for path in root.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    pass_ = pass_over(copy, tmp_path / "out", 4)
    build(pass_.candidates)
    (copy / "a-again.jpg").unlink()
    assert build(pass_).rejected == {"missing_image": 2, "identical_pair": 1, "duplicate_image": 2}
