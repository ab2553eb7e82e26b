from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cologen.datagen import rle
from cologen.datagen.world.formats import lvis
from cologen.datagen.world.formats.drawing import Drawing, World
from tests import distributed

SPLITS = ("train", "val")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, world: World) -> Path:
    folder = tmp_path_factory.mktemp("lvis")
    lvis.write(folder, world)
    return folder


def _read(root: Path, split: str) -> dict[str, Any]:
    return json.loads((root / f"lvis_v1_{split}.json").read_text())


@pytest.mark.slow
def test_annotations_cover_exactly_the_rendered_masks_except_where_said(
    root: Path, world: World, drawings: list[Drawing]
) -> None:
    by_image: dict[int, list[dict[str, Any]]] = {}
    ids: list[int] = []
    for split in SPLITS:
        for annotation in _read(root, split)["annotations"]:
            by_image.setdefault(annotation["image_id"], []).append(annotation)
            ids.append(annotation["id"])
    assert len(set(ids)) == len(ids)
    num_left_out = 0
    for drawing in drawings:
        found = by_image.get(drawing.index + 1, [])
        for annotation in found:
            rank = annotation["id"] % 100
            counts = rle.from_polygons(annotation["segmentation"], world.height, world.width)
            np.testing.assert_array_equal(rle.decode(counts, world.height, world.width), drawing.rendering.masks[rank])
            assert annotation["category_id"] == lvis.CATEGORY_IDS[drawing.scene.objects[rank].shape]
        num_shown = sum(bool(mask.any()) for mask in drawing.rendering.masks)
        num_left_out += num_shown - len(found)
        assert num_shown - len(found) == len(lvis.partial_shapes(drawing))
    assert num_left_out > 0


def test_pictures_lie_where_their_url_ends(root: Path, drawings: list[Drawing]) -> None:
    folders: dict[str, set[str]] = {split: set() for split in SPLITS}
    for split in SPLITS:
        for image in _read(root, split)["images"]:
            drawing = drawings[image["id"] - 1]
            folder, name = image["coco_url"].split("/")[-2:]
            assert drawing.split == split
            folders[split].add(folder)
            with Image.open(root / folder / name) as picture:
                assert picture.size == (image["width"], image["height"])
            present = {lvis.CATEGORY_IDS[thing.shape] for thing in drawing.scene.objects}
            assert image["neg_category_ids"]
            assert not set(image["neg_category_ids"]) & present
            assert set(image["not_exhaustive_category_ids"]) <= present
    assert folders == {"train": {"train2017"}, "val": {"train2017", "val2017"}}


def test_categories_are_counted_over_the_training_pictures(root: Path) -> None:
    training = _read(root, "train")
    assert training["categories"] == _read(root, "val")["categories"]
    for number, category in enumerate(training["categories"], 1):
        mine = [item for item in training["annotations"] if item["category_id"] == category["id"]]
        assert category["id"] == number
        assert category["name"] == category["synonyms"][0]
        assert category["instance_count"] == len(mine)
        assert category["image_count"] == len({item["image_id"] for item in mine})
        assert category["frequency"] == ("r" if category["image_count"] <= 10 else "c")


@pytest.mark.slow
def test_any_number_of_workers_writes_the_same_bytes(tmp_path: Path, hashes: Callable[[Path], dict[str, str]]) -> None:
    for workers in (1, 2):
        lvis.write(tmp_path / str(workers), World(num_scenes=12, width=48, height=32, seed=4), workers=workers)
    assert hashes(tmp_path / "1") == hashes(tmp_path / "2")


def test_records_have_the_fields_and_types_of_the_distributed_ones(root: Path, tmp_path: Path) -> None:
    def forms(records: list[dict[str, Any]]) -> set[tuple[tuple[str, type], ...]]:
        return {tuple(sorted((name, type(value)) for name, value in record.items())) for record in records}

    distributed.write_lvis(tmp_path)
    real, ours = _read(tmp_path, "val"), _read(root, "train")
    assert set(ours) == set(real)
    for name in ("images", "categories", "annotations", "licenses"):
        assert forms(ours[name]) == forms(real[name])
