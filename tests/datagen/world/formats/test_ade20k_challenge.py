from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cologen.datagen.world.formats import ade20k_challenge
from cologen.datagen.world.formats.drawing import Drawing, World
from tests import distributed

FOLDERS = {"train": "training", "val": "validation"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, world: World) -> Path:
    folder = tmp_path_factory.mktemp("ade20k")
    ade20k_challenge.write(folder, world)
    return folder / "ADEChallengeData2016"


def _table(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def _pixels(path: Path, mode: str) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == mode
        return np.asarray(image)


def _name(drawing: Drawing) -> str:
    return f"{FOLDERS[drawing.split]}/ADE_{drawing.split}_{drawing.index + 1:08d}"


def test_labels_are_the_classes_that_object_info_names(root: Path, drawings: list[Drawing]) -> None:
    names = {int(row[0]): row[4] for row in _table(root / "objectInfo150.txt")[1:]}
    for drawing in drawings:
        labels = _pixels(root / f"annotations/{_name(drawing)}.png", "L")
        assert {names[label] for label in np.unique(labels[drawing.rendering.instance_map == 0])} == {
            drawing.scene.ground
        }
        for thing, mask in zip(drawing.scene.objects, drawing.rendering.masks, strict=True):
            assert {names[label] for label in np.unique(labels[mask == 1])} == {thing.shape}
        assert _pixels(root / f"images/{_name(drawing)}.jpg", "RGB").shape == (*labels.shape, 3)


def test_instances_are_the_masks_and_the_mapping_joins_the_numberings(root: Path, drawings: list[Drawing]) -> None:
    mapping = {int(row[0]): int(row[2]) for row in _table(root / "categoryMapping.txt")[1:]}
    names = {int(row[0]): row[4] for row in _table(root / "objectInfo150.txt")[1:]}
    assert any(category != label for category, label in mapping.items())
    for drawing in drawings:
        red, green, blue = np.moveaxis(_pixels(root / f"annotations_instance/{_name(drawing)}.png", "RGB"), -1, 0)
        np.testing.assert_array_equal(green, drawing.rendering.instance_map)
        np.testing.assert_array_equal(red > 0, green > 0)
        assert not blue.any()
        for i, thing in enumerate(drawing.scene.objects, 1):
            assert {names[mapping[category]] for category in np.unique(red[green == i])} == {thing.shape}


def test_object_info_counts_pixels_and_pictures(root: Path, drawings: list[Drawing]) -> None:
    rows = _table(root / "objectInfo150.txt")[1:]
    assert sum(float(row[1]) for row in rows) == pytest.approx(1, abs=0.002)
    grounds = [drawing.scene.ground for drawing in drawings if drawing.split == "train"]
    for row in rows:
        if row[4] in grounds:
            assert int(row[2]) == grounds.count(row[4])


def test_every_picture_has_its_scene(root: Path, drawings: list[Drawing]) -> None:
    scenes = dict(line.split(" ") for line in (root / "sceneCategories.txt").read_text().splitlines())
    assert len(scenes) == len(drawings)
    assert list(scenes) == sorted(scenes)
    for drawing in drawings:
        assert scenes[_name(drawing).split("/")[1]] == drawing.scene.ground


def test_files_have_the_distributed_form(root: Path, tmp_path: Path) -> None:
    distributed.write_ade20k(tmp_path)
    real, ours = tmp_path / "ADEChallengeData2016", _table(root / "objectInfo150.txt")
    assert ours[0] == ["Idx", "Ratio", "Train", "Val", "Name"]
    assert {len(row) for row in ours} == {5}
    scene = re.compile(r"ADE_(train|val)_\d{8} \w+\n")
    assert all(scene.match((folder / "sceneCategories.txt").read_text()) for folder in (root, real))
    for folder, mode in (("images", "RGB"), ("annotations", "L")):
        (a, b) = (next((form / folder / "validation").iterdir()) for form in (root, real))
        assert a.suffix == b.suffix and len(a.name) == len(b.name)
        assert _pixels(a, mode).dtype == _pixels(b, mode).dtype
