"""A wrong value in a row, committed with right hashes, is found: one finding each, and none for what is sound."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cologen.datagen.control.policy import ConditionMix, ControlPolicy
from cologen.datagen.engine.jobs import Pass
from cologen.datagen.grounding.policy import GroundingPolicy
from cologen.datagen.manifest import commit_part, save_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.pair_records import Condition, Pair
from cologen.datagen.pairs.filters import PairPolicy
from cologen.datagen.passes.control import ControlPass, ControlRecipe
from cologen.datagen.passes.grounding import GroundingPass, GroundingRecipe
from cologen.datagen.passes.inpaint import InpaintRecipe, MaskPass
from cologen.datagen.passes.pairs import PairPass, PairRecipe
from cologen.datagen.passes.reading import Reader
from cologen.datagen.records import Image
from cologen.datagen.review.verify import verify
from cologen.datagen.world.formats import World, ensure

Columns = dict[str, Any]
Change = Callable[[Columns], None]
_SCENES = 12


def _root(layout: str, base: Path) -> Path:
    ensure(layout, base / layout, World(num_scenes=_SCENES, width=64, height=64, seed=2))
    return base / layout


def _inpaint(base: Path, folder: Folder) -> Pass:
    reader = Reader.of(Image, "cocostuff", _root("cocostuff", base), "train", _SCENES, None)
    return MaskPass(folder=folder, recipe=InpaintRecipe(source=reader.recipe), reader=reader)


def _grounding(base: Path, folder: Folder, **settings: Any) -> Pass:
    reader = Reader.of(Image, "refcoco", _root("refcoco", base), "train", _SCENES, None)
    recipe = GroundingRecipe(source=reader.recipe, variants=4, **settings)
    return GroundingPass(folder=folder, recipe=recipe, reader=reader)


def _customized(base: Path, folder: Folder) -> Pass:
    reader = Reader.of(Pair, "subjects200k", _root("subjects200k", base), "train", _SCENES, None)
    recipe = PairRecipe(task="customized", source=reader.recipe, policy=PairPolicy(min_side=32))
    return PairPass(folder=folder, recipe=recipe, reader=reader)


def _editing(base: Path, folder: Folder) -> Pass:
    reader = Reader.of(Pair, "triplets", _root("triplets", base), "train", _SCENES, None)
    recipe = PairRecipe(task="editing", source=reader.recipe, policy=PairPolicy(min_side=32))
    return PairPass(folder=folder, recipe=recipe, reader=reader)


def _control(base: Path, folder: Folder) -> Pass:
    reader = Reader.of(Condition, "multigen_depth", _root("multigen_depth", base), "train", _SCENES, None)
    policy = ControlPolicy(mix=ConditionMix.equal(("depth",)))
    return ControlPass(folder=folder, recipe=ControlRecipe(source=reader.recipe, policy=policy), reader=reader)


def _found(pass_: Pass, change: Change = lambda _: None) -> list[str]:
    """What verify says of the stage's manifest; ``change`` alters the columns of its first part before the commit."""
    pass_.folder.create()
    work, empty, reports = pass_.open(), pass_.manifest(), []
    for index in range(empty.num_parts):
        content = work(pass_.part(index))
        if index == 0:
            change(content.columns)
        reports.append(commit_part(pass_.folder, index, content))
    save_manifest(pass_.folder, empty.finished(reports))
    root: Any = pass_
    return [finding.problem for found in verify(pass_.folder, root.reader.root, workers=1) for finding in found]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("world")


@pytest.mark.parametrize("make", [_inpaint, _grounding, _customized, _editing, _control])
def test_what_a_pass_builds_is_sound(make: Callable[[Path, Folder], Pass], world: Path, tmp_path: Path) -> None:
    assert _found(make(world, Folder.open(tmp_path / "out"))) == []


@pytest.mark.slow
@pytest.mark.parametrize("contrast", [True, False])
def test_inverse_and_negative_rows_are_sound_where_they_are_asked_for(
    contrast: bool, world: Path, tmp_path: Path
) -> None:
    policy = GroundingPolicy(inverse=0.5, negative=0.5)
    pass_ = _grounding(world, Folder.open(tmp_path / "out"), policy=policy, contrast=contrast)
    assert _found(pass_) == []


def _set(values: dict[str, Any], where: Callable[[dict[str, Any]], bool] = lambda _: True) -> Change:
    """The first row for which ``where`` holds gets these values."""

    def change(columns: Columns) -> None:
        rows = range(len(columns["sample_id"]))
        place = next(row for row in rows if where({name: values[row] for name, values in columns.items()}))
        for name, value in values.items():
            columns[name][place] = value(columns[name][place]) if callable(value) else value

    return change


def _box(row: dict[str, Any]) -> bool:
    return row["referring"] == "box"


def _cover(row: dict[str, Any]) -> bool:
    return row["referring"] == "mask"


def _red(row: dict[str, Any]) -> bool:
    return row["color"] != "red"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set({"boxes": lambda boxes: [(math.nan, *boxes[0][1:]), *boxes[1:]]}), "no finite number in boxes"),
        (_set({"opacity": math.inf}, _cover), "no finite number in opacity"),
        (_set({"referring": "circle"}, _box), "is none of box, mask, instance"),
        (_set({"color_rgb": (1, 2, 3)}), "the palette's"),
        (_set({"color": "mauve"}), "not in the palette"),
        (_set({"color": "red", "color_rgb": (255, 0, 0)}, _red), "its instruction is none for"),
        (_set({"line_width": 40}, _box), "its line width and opacity"),
        (_set({"line_width": 0}, _box), "its line width and opacity"),
        (_set({"line_width": None}, _box), "its line width and opacity"),
        (_set({"line_width": 1}, _cover), "its line width and opacity"),
        (_set({"opacity": 0.95}, _cover), "its line width and opacity"),
        (_set({"opacity": 0.5}, _box), "its line width and opacity"),
        (_set({"boxes": lambda boxes: [*boxes, boxes[0]]}, _box), "a box occurs twice"),
        (_set({"phrase": "another thing"}), "its instruction is none for 'another thing'"),
        (_set({"phrase": ""}), "its instruction is none for ''"),
        (_set({"instruction": "Do it.", "caption": "Do it."}), "its instruction is none for"),
        (_set({"instruction": "Do it."}), "its caption is not its instruction"),
        (_set({"inverse": True}), "it is inverse"),
        (_set({"negative": True, "boxes": []}, _box), "it is negative"),
        (_set({"mask_rle": b"01"}, _box), "it holds a mask"),
        (_set({"mask_rle": None}, _cover), "lacks its mask"),
    ],
)
def test_a_wrong_row_of_grounding(change: Change, said: str, world: Path, tmp_path: Path) -> None:
    [problem] = _found(_grounding(world, Folder.open(tmp_path / "out")), change)
    assert said in problem


def _random_with(present: bool) -> Callable[[dict[str, Any]], bool]:
    return lambda row: row["mask_kind"] == "random" and (row["object_rle"] is not None) == present


def _kind(kind: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: row["mask_kind"] == kind


@pytest.mark.parametrize(
    ("change", "said"),
    [
        *((_set({name: math.nan}), f"no finite number in {name}") for name in ("mask_area", "max_object_iou")),
        (_set({"object_score": -math.inf}, _kind("object")), "no finite number in object_score"),
        (_set({"object_box": (0.0, math.nan, 1.0, 1.0)}, _kind("object")), "no finite number in object_box"),
        (_set({"max_object_iou": 1.5}), "max_object_iou outside [0, 1]"),
        (_set({"max_object_iou": -0.5}), "max_object_iou outside [0, 1]"),
        (_set({"max_object_coverage": 2.0}), "max_object_coverage outside [0, 1]"),
        (_set({"max_object_iou": 0.5}, _kind("object")), "its IoU with the object is"),
        (_set({"max_object_coverage": 0.5}, _kind("object")), "its mask covers 1.0000 of the object"),
        (_set({"max_object_coverage": 0.0}, _kind("irregular")), "its mask covers 1.0000 of the object"),
        (_set({"max_object_iou": 0.29}, _random_with(True)), "its IoU with the object is"),
        (_set({"max_object_coverage": 0.0}, _random_with(True)), "its mask covers"),
        (_set({"object_noun": ""}, _kind("object")), "its object's noun is blank"),
        (_set({"object_box": None}, _kind("object")), "holds some columns and lacks others"),
        (_set({"object_rle": None}, _kind("object")), "holds some columns and lacks others"),
        (_set({"object_score": None}, _kind("irregular")), "holds some columns and lacks others"),
        (_set({"mask_kind": "round"}, _kind("object")), "its kind 'round' is none of"),
    ],
)
def test_a_wrong_row_of_inpaint(change: Change, said: str, world: Path, tmp_path: Path) -> None:
    [problem] = _found(_inpaint(world, Folder.open(tmp_path / "out")), change)
    assert said in problem


def test_an_object_that_a_random_mask_does_not_touch_has_no_coverage(world: Path, tmp_path: Path) -> None:
    def change(columns: Columns) -> None:
        place = columns["mask_kind"].index("random")
        for name in ("object_noun", "object_box", "object_rle", "object_score"):
            columns[name][place] = None
        columns["max_object_iou"][place], columns["max_object_coverage"][place] = 0.0, 0.25

    [problem] = _found(_inpaint(world, Folder.open(tmp_path / "out")), change)
    assert "that the row does not hold" in problem


@pytest.mark.parametrize(
    ("make", "change", "said"),
    [
        (_customized, _set({"direction": "sideways"}), "its direction 'sideways' is not that of its boxes"),
        (
            _customized,
            _set({"direction": lambda one: "back" if one == "forth" else "forth"}),
            "not that of its boxes",
        ),
        (_customized, _set({"source_box": None}), "the same pixels, or share some"),
        (_customized, _set({"scores": [{"name": "quality", "value": math.nan}]}), "no finite number in scores"),
        (_editing, _set({"scores": [{"name": "quality", "value": math.inf}]}), "no finite number in scores"),
    ],
)
def test_a_wrong_row_of_pairs(
    make: Callable[[Path, Folder], Pass], change: Change, said: str, world: Path, tmp_path: Path
) -> None:
    [problem] = _found(make(world, Folder.open(tmp_path / "out")), change)
    assert said in problem


def test_an_edit_of_a_picture_into_itself(world: Path, tmp_path: Path) -> None:
    def change(columns: Columns) -> None:
        columns["source_uri"][0], columns["source_box"][0] = columns["target_uri"][0], columns["target_box"][0]

    [problem] = _found(_editing(world, Folder.open(tmp_path / "out")), change)
    assert "the same pixels" in problem


def test_a_condition_that_is_the_picture(world: Path, tmp_path: Path) -> None:
    def change(columns: Columns) -> None:
        columns["condition_uri"][0] = columns["image_uri"][0]

    [problem] = _found(_control(world, Folder.open(tmp_path / "out")), change)
    assert problem == "its condition is its picture"
