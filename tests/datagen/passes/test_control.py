"""Rows of control: every kind is what it says, bad conditions are counted, and verify sees whatever is changed."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cologen.datagen.control.policy import ANYWHERE, ConditionMix, ControlPolicy
from cologen.datagen.datasets import DATASETS, open_dataset
from cologen.datagen.manifest import commit_part, iterate_rows, load_manifest, save_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.pair_records import Condition
from cologen.datagen.passes.control import ControlPass, ControlRecipe
from cologen.datagen.passes.reading import Reader
from cologen.datagen.review.verify import verify
from cologen.datagen.samples import render
from cologen.datagen.world.formats import World, ensure

pytestmark = pytest.mark.slow

LAYOUTS = {
    "multigen": "multigen",
    "multigen_depth": "multigen_depth",
    "ade20k": "ade20k",
    "cocostuff": "captioned_cocostuff",
}
OWN = {"multigen": {"canny", "depth", "segmentation"}, "multigen_depth": {"depth"}, "ade20k": {"segmentation"}}


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("control")
    for layout in LAYOUTS.values():
        ensure(layout, root / layout, World(num_scenes=30, width=96, height=80, seed=4))
    return root


def pass_over(source: str, root: Path, out: Path, part_size: int = 16) -> ControlPass:
    reader = Reader.of(Condition, source, root, "train", part_size, None)
    policy = ControlPolicy(mix=ConditionMix.equal(ANYWHERE | reader.open().kinds))
    recipe = ControlRecipe(source=reader.recipe, policy=policy)
    return ControlPass(folder=Folder.open(out), recipe=recipe, reader=reader)


def built(pass_: ControlPass, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Folder:
    """The pass run without the engine; ``change`` alters the columns of every part before they are committed."""
    pass_.folder.create()
    work, reports = pass_.open(), []
    for index in range(pass_.reader.recipe.num_parts):
        content = work(pass_.part(index))
        change(content.columns)
        reports.append(commit_part(pass_.folder, index, content))
    save_manifest(pass_.folder, pass_.manifest().finished(reports))
    return pass_.folder


def rows_of(folder: Folder) -> list[dict[str, Any]]:
    return list(iterate_rows(folder, load_manifest(folder)))


def problems(folder: Folder, root: Path) -> list[str]:
    return [finding.problem for found in verify(folder, root, workers=1) for finding in found]


@pytest.mark.parametrize("source", LAYOUTS)
def test_every_source_gives_every_kind_it_can(source: str, roots: Path, tmp_path: Path) -> None:
    pass_ = pass_over(source, roots / LAYOUTS[source], tmp_path / "out")
    opened = pass_.reader.open()
    assert opened.kinds == OWN.get(source, {"segmentation"})
    folder = built(pass_)
    assert problems(folder, pass_.reader.root) == []
    rows = rows_of(folder)
    assert {row["condition"] for row in rows} == ANYWHERE | opened.kinds
    counts = Counter(row["condition"] for row in rows)
    assert len(rows) == len(opened)
    assert max(counts.values()) - min(counts.values()) <= 1
    for row in rows:
        sample = render(row, pass_.reader.root)
        assert sample.source.shape == sample.target.shape == (80, 96, 3)
        assert sample.prompt
        assert (sample.online is not None) == (row["condition"] in ("hed", "lineart")) == row["online"]
        assert (row["canny_low"] is not None) == (row["condition"] == "canny")


def test_conditions_of_another_size_lie_on_their_pictures(roots: Path, tmp_path: Path) -> None:
    """MultiGen's maps are larger here: where depth jumps, the picture has an edge."""
    pass_ = pass_over("multigen", roots / "multigen", tmp_path / "out")
    rows = [row for row in rows_of(built(pass_)) if row["condition"] == "depth"]
    assert {(row["condition_width"], row["condition_height"]) for row in rows} == {(112, 96)}
    scores = dict.fromkeys((-6, 0, 6), 0.0)
    for row in rows:
        sample = render(row, pass_.reader.root)
        jumps = cv2.Canny(sample.source, 50, 100) > 0
        steps = np.abs(cv2.Laplacian(sample.target.astype(np.float32), cv2.CV_32F)).max(axis=2)
        for shift in scores:
            scores[shift] += steps[np.roll(jumps, shift, axis=1)].sum()
    assert scores[0] > 1.3 * max(scores[-6], scores[6])


def test_bad_conditions_are_one_counted_rejection_each(roots: Path, tmp_path: Path) -> None:
    root = tmp_path / "multigen"
    ensure("multigen", root, World(num_scenes=12, width=96, height=96, seed=2))
    maps = sorted((root / "dataset/conditions/depth").iterdir())
    cv2.imwrite(str(maps[0]), np.zeros((80, 160, 3), np.uint8))  # of other proportions
    maps[1].unlink()
    maps[2].write_bytes(b"")
    maps[3].write_bytes(maps[3].read_bytes()[:100])
    listed = root / "dataset/json_files/aesthetics_plus_all_group_seg_all.json"
    lines = listed.read_text().splitlines()
    lines[0] = lines[0].replace("}", ",}")
    lines[1] = json.dumps(json.loads(lines[1]) | {"prompt": None})
    lines[2] = json.dumps(json.loads(lines[2]) | {"control_seg": "../../../../secret.jpg"})
    listed.write_text("\n".join(lines))
    pass_ = pass_over("multigen", root, tmp_path / "out", part_size=36)
    content = pass_.open()(pass_.part(0))
    found = {one.sample_id: str(one.reason) for one in content.rejections}
    assert found == {
        "multigen/depth/000000001#0": "size_mismatch",
        "multigen/depth/000000002": "missing_image",
        "multigen/depth/000000003": "empty_file",
        "multigen/depth/000000004": "truncated_image",
        "multigen/seg/000000001": "malformed_json",
        "multigen/seg/000000002": "null_caption",
        "multigen/seg/000000003": "unsafe_path",
    }
    assert len(content.columns["sample_id"]) == 36 - len(found)


@pytest.mark.parametrize("part_size", [90, 18])
def test_where_maps_are_missing_the_proportions_hold_and_samples_are_left_out(part_size: int, tmp_path: Path) -> None:
    """Of MultiGen's 30 lines each, 10 still have a map of depth, 24 one of classes, and none one of canny.

    A fifth of the samples is depth, so 10 maps are enough for 50 samples; the other lines that can be used are left
    out. Lines of canny need no map, and are dealt canny, HED and lineart.
    """
    root = tmp_path / "multigen"
    ensure("multigen", root, World(num_scenes=30, width=64, height=64, seed=2))
    lost = {"canny": 30, "depth": 20, "segbase": 6}
    for folder, number in lost.items():
        for path in sorted((root / "dataset/conditions" / folder).iterdir())[:number]:
            path.unlink()
    pass_ = pass_over("multigen", root, tmp_path / "out", part_size)
    folder = built(pass_)
    assert problems(folder, root) == []
    rows, manifest = rows_of(folder), load_manifest(folder)
    assert manifest.rejected["missing_image"] == lost["depth"] + lost["segbase"]
    assert manifest.rejected["no_condition"] == 64 - len(rows)
    found = Counter(row["condition"] for row in rows)
    assert found.keys() == {"canny", "depth", "hed", "lineart", "segmentation"}
    slack = 0 if part_size == 90 else len(manifest.parts)  # parts that leave samples out are right in the mean
    assert all(abs(number - 10) <= slack for number in found.values())
    lists = {kind: {row["sample_id"].split("/")[1] for row in rows if row["condition"] == kind} for kind in found}
    assert (lists["depth"], lists["segmentation"]) == ({"depth"}, {"seg"})
    assert all("canny" in lists[kind] for kind in ("canny", "hed", "lineart"))


def set_where(kind: str, column: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """One column of the first row of this kind in each part."""

    def change(columns: dict[str, Any]) -> None:
        columns[column][columns["condition"].index(kind)] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_where("canny", "canny_low", 7), "thresholds 7 and"),
        (set_where("canny", "canny_high", None), "are not those of its id"),
        (set_where("depth", "canny_low", 60), "thresholds 60 and None"),
        (set_where("hed", "online", False), "a row of hed without a map is not online"),
        (set_where("depth", "online", True), "is online"),
        (set_where("segmentation", "condition_uri", None), "has no map"),
        (set_where("canny", "condition_uri", "a.png"), "has a map"),
        (set_where("depth", "condition_width", None), "has the sides (None"),
        (set_where("depth", "condition_width", 180), "other proportions"),
        (set_where("depth", "condition_width", 113), "its condition is 112 x 96"),
        (set_where("depth", "condition_uri", "nowhere.jpg"), "its condition cannot be used: missing_image"),
        (set_where("depth", "map_hash", 7), "its map cannot be used"),
        (set_where("canny", "condition", "pose"), "'pose' is none of"),
    ],
)
def test_a_wrong_row_is_named(change: Callable[[dict[str, Any]], None], said: str, roots: Path, tmp_path: Path) -> None:
    pass_ = pass_over("multigen", roots / "multigen", tmp_path / "out", part_size=90)
    assert any(said in problem for problem in problems(built(pass_, change), pass_.reader.root))


def test_what_lies_elsewhere_is_said(roots: Path) -> None:
    with pytest.raises(ValueError, match="those of multigen_depth, not of ade20k"):
        open_dataset(Condition, "ade20k", roots / "multigen_depth", "train")
    with pytest.raises(ValueError, match="one of multigen, multigen_depth, ade20k, cocostuff"):
        open_dataset(Condition, "lvis", roots, "train")
    assert list(DATASETS[Condition]) == list(LAYOUTS)
