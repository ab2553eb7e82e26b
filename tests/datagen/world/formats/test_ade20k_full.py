from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cologen.datagen.world.formats import ade20k_full
from cologen.datagen.world.formats.drawing import Drawing, World

FOLDERS = {"train": "training", "val": "validation"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, world: World) -> Path:
    folder = tmp_path_factory.mktemp("ade20k_full")
    ade20k_full.write(folder, world)
    return folder


@pytest.fixture(scope="module")
def annotations(root: Path) -> list[dict[str, Any]]:
    """In the order of the scenes."""
    paths = sorted(root.rglob("*.json"), key=lambda path: path.stem[-8:])
    return [json.loads(path.read_text())["annotation"] for path in paths]


def _pixels(path: Path, mode: str) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == mode
        return np.asarray(image).astype(int)


def _decoded(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Class and instance of each pixel, the instance as the rank of its blue value."""
    red, green, blue = np.moveaxis(_pixels(path, "RGB"), -1, 0)
    ranks = np.unique(np.concatenate([[0], blue.ravel()]), return_inverse=True)[1][1:].reshape(blue.shape)
    return red // 10 * 256 + green, ranks


def _wholes(annotation: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry for entry in annotation["object"] if entry["parts"]["part_level"] == 0]


def test_files_lie_where_the_annotation_says(root: Path, annotations: list[dict[str, Any]], world: World) -> None:
    assert len(annotations) == world.num_scenes
    for annotation in annotations:
        folder = root / annotation["folder"]
        assert annotation["folder"].startswith("ADE20K_2021_17_01/images/ADE/")
        assert annotation["imsize"] == [world.height, world.width, 3]
        assert _pixels(folder / annotation["filename"], "RGB").shape == (world.height, world.width, 3)
        assert all((folder / entry["instance_mask"]).is_file() for entry in annotation["object"])


def test_the_segmentation_is_the_rendering(
    root: Path, annotations: list[dict[str, Any]], drawings: list[Drawing]
) -> None:
    for annotation, drawing in zip(annotations, drawings, strict=True):
        path = root / annotation["folder"] / annotation["filename"]
        assert path.parts[-4:-1] == (FOLDERS[drawing.split], "shapes", drawing.scene.ground)
        classes, ranks = _decoded(path.with_name(f"{path.stem}_seg.png"))
        # The ground is painted first, then the objects from back to front.
        np.testing.assert_array_equal(ranks, drawing.rendering.instance_map + 1)
        *things, ground = _wholes(annotation)
        assert set(classes[ranks == 1]) == {ground["name_ndx"]} and ground["name"] == drawing.scene.ground
        for rank, entry, thing in zip(range(2, 9), reversed(things), drawing.scene.objects, strict=False):
            assert set(classes[ranks == rank]) == {entry["name_ndx"]} and entry["name"] == thing.shape


def test_instance_pictures_tell_visible_from_occluded(
    root: Path, annotations: list[dict[str, Any]], drawings: list[Drawing]
) -> None:
    values: set[int] = set()
    for annotation, drawing in zip(annotations, drawings, strict=True):
        *things, _ = _wholes(annotation)
        rendering = drawing.rendering
        for entry, visible, full in zip(reversed(things), rendering.masks, rendering.full_masks, strict=True):
            pixels = _pixels(root / annotation["folder"] / entry["instance_mask"], "L")
            np.testing.assert_array_equal(pixels == 255, visible == 1)
            np.testing.assert_array_equal(pixels > 0, full == 1)
            assert entry["occluded"] in ([], "yes" if (pixels == 128).any() else "no")
            values |= set(np.unique(pixels))
    assert values == {0, 128, 255}


def test_parts_belong_to_a_whole_and_lie_in_it(root: Path, annotations: list[dict[str, Any]]) -> None:
    num_parts = 0
    for annotation in annotations:
        folder, by_id = root / annotation["folder"], {entry["id"]: entry for entry in annotation["object"]}
        parts = [entry for entry in annotation["object"] if entry["parts"]["part_level"] == 1]
        path = folder / annotation["filename"].replace(".jpg", "_parts_1.png")
        assert path.is_file() == bool(parts)
        for rank, part in enumerate(parts, 1):
            whole = by_id[part["parts"]["ispartof"]]
            siblings = whole["parts"]["hasparts"]
            assert part["id"] == siblings or part["id"] in siblings
            classes, ranks = _decoded(path)
            assert set(classes[ranks == rank]) == {part["name_ndx"]}
            inside = _pixels(folder / part["instance_mask"], "L")
            np.testing.assert_array_equal(inside == 255, ranks == rank)
            assert not (inside > _pixels(folder / whole["instance_mask"], "L")).any()
        num_parts += len(parts)
    assert num_parts > 10


def test_the_type_traps_of_the_real_files_are_all_set(annotations: list[dict[str, Any]]) -> None:
    entries = [entry for annotation in annotations for entry in annotation["object"]]
    assert {str(entry["occluded"]) for entry in entries} == {"[]", "yes", "no"}
    assert {type(entry["attributes"]) for entry in entries} == {list, str}
    assert {type(entry["parts"]["hasparts"]) for entry in entries} == {list, int}
    assert {type(entry["parts"]["ispartof"]) for entry in entries} == {list, int}
    assert {entry["crop"] for entry in entries} == {"0", "1"}


def test_objects_have_the_fields_of_the_real_ones(annotations: list[dict[str, Any]]) -> None:
    fields = "id name name_ndx hypernym raw_name attributes depth_ordering_rank occluded crop parts instance_mask"
    for annotation in annotations:
        assert list(annotation) == ["filename", "folder", "imsize", "source", "scene", "object"]
        for entry in annotation["object"]:
            assert list(entry) == [*fields.split(), "polygon", "saved_date"]
            assert len(entry["polygon"]["x"]) == len(entry["polygon"]["y"]) > 0
