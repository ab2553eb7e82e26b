from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cologen.datagen import rle
from cologen.datagen.world.formats import coco
from cologen.datagen.world.formats.drawing import Drawing, World
from cologen.datagen.world.vocabulary import GROUND_CLASSES, OBJECT_CLASSES
from tests import distributed

SPLITS = ("train", "val")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, world: World) -> Path:
    folder = tmp_path_factory.mktemp("cocostuff")
    coco.write(folder, world)
    return folder


def _read(root: Path, kind: str, split: str) -> dict[str, Any]:
    return json.loads((root / f"annotations/{kind}_{split}2017.json").read_text())


def _decoded(annotation: dict[str, Any], world: World) -> np.ndarray:
    segmentation, size = annotation["segmentation"], (world.height, world.width)
    if annotation["iscrowd"]:
        assert segmentation["size"] == [*size]
        return rle.decode(rle.from_uncompressed(segmentation["counts"], *size), *size)
    return rle.decode(rle.from_polygons(segmentation, *size), *size)


def test_every_image_record_has_its_picture_of_its_size(root: Path, world: World) -> None:
    for split in SPLITS:
        images = _read(root, "instances", split)["images"]
        assert images == _read(root, "captions", split)["images"]
        assert {path.name for path in (root / f"{split}2017").iterdir()} == {image["file_name"] for image in images}
        for image in images:
            assert image["file_name"] == f"{image['id']:012d}.jpg"
            with Image.open(root / f"{split}2017" / image["file_name"]) as picture:
                assert picture.size == (image["width"], image["height"]) == (world.width, world.height)


def test_annotations_cover_exactly_the_rendered_masks(root: Path, world: World, drawings: list[Drawing]) -> None:
    by_image: dict[int, list[dict[str, Any]]] = {}
    for split in SPLITS:
        for annotation in _read(root, "instances", split)["annotations"]:
            by_image.setdefault(annotation["image_id"], []).append(annotation)
    num_crowds = 0
    for drawing in drawings:
        masks = [mask.tobytes() for mask in drawing.rendering.masks]
        for annotation in by_image[drawing.index + 1]:
            decoded = _decoded(annotation, world)
            if annotation["iscrowd"]:
                num_crowds += 1
                group = coco.stuff_map(drawing.rendering.class_map) == annotation["category_id"] - 1
                np.testing.assert_array_equal(decoded, group)
            else:
                thing = drawing.scene.objects[masks.index(decoded.tobytes())]
                assert coco.THING_IDS[thing.shape] == annotation["category_id"]
            assert annotation["area"] == decoded.sum()
            box = rle.box(rle.encode(decoded), *decoded.shape)
            assert annotation["bbox"] == [box.x0, box.y0, box.width, box.height]
    assert num_crowds > 0


def test_ids_are_unique_and_captions_are_five(root: Path) -> None:
    ids: list[int] = []
    for split in SPLITS:
        captions = _read(root, "captions", split)
        ids += [annotation["id"] for annotation in _read(root, "instances", split)["annotations"]]
        assert len({annotation["id"] for annotation in captions["annotations"]}) == 5 * len(captions["images"])
        assert all(annotation["caption"].strip() for annotation in captions["annotations"])
    assert len(ids) == len(set(ids))


def test_stuff_maps_hold_the_id_less_one(root: Path, drawings: list[Drawing]) -> None:
    for drawing in drawings[:12]:
        path = root / f"stuffthingmaps_trainval2017/{drawing.split}2017/{drawing.index + 1:012d}.png"
        with Image.open(path) as image:
            assert image.mode == "L"
            values = np.asarray(image)
        assert set(values[drawing.rendering.instance_map == 0]) == {coco.STUFF_IDS[drawing.scene.ground] - 1}
        for thing, mask in zip(drawing.scene.objects, drawing.rendering.masks, strict=True):
            assert set(values[mask == 1]) == {coco.THING_IDS[thing.shape] - 1}


def test_ids_are_coco_ids() -> None:
    assert set(coco.THING_IDS) == set(OBJECT_CLASSES)
    assert set(coco.STUFF_IDS) == set(GROUND_CLASSES)
    assert not coco.NEVER_USED_IDS & {*coco.THING_IDS.values()}
    assert max(coco.THING_IDS.values()) < 92 <= min(coco.STUFF_IDS.values())
    assert max(coco.STUFF_IDS.values()) <= 182


@pytest.mark.parametrize("kind", ["instances", "captions"])
def test_records_have_the_fields_and_types_of_the_distributed_ones(root: Path, kind: str, tmp_path: Path) -> None:
    def forms(records: list[dict[str, Any]]) -> set[tuple[tuple[str, type], ...]]:
        return {tuple(sorted((name, type(value)) for name, value in record.items())) for record in records}

    distributed.write_coco(tmp_path)
    real, ours = _read(tmp_path, kind, "train"), _read(root, kind, "train")
    for name in ("images", "categories", "annotations", "licenses"):
        assert forms(ours.get(name, [])) == forms(real.get(name, []))
    assert set(ours["info"]) == set(real["info"])
