import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cologen.datagen import rle
from cologen.datagen.datasets import Dataset
from cologen.datagen.datasets.coco.lvis import open_lvis
from cologen.datagen.records import Reason
from cologen.datagen.world.formats import lvis as layout
from cologen.datagen.world.formats.drawing import World, draw

REAL = Path(__file__).resolve().parents[5] / "shared/real/lvis"
SQUARE = [[10, 10, 30, 10, 30, 30, 10, 30]]
CATEGORIES = [
    {"id": 1, "name": "bell_pepper", "synonyms": ["bell_pepper", "capsicum"]},
    {"id": 2, "name": "cat", "synonyms": ["cat"]},
    {"id": 3, "name": "bow_(weapon)", "synonyms": ["bow_(weapon)"]},
]


def image(
    identity: Any, absent: Any = (), partly: Any = (), folder: str = "train2017", **others: Any
) -> dict[str, Any]:
    return {
        "id": identity, "coco_url": f"http://images.invalid/{folder}/{identity}.jpg", "width": 64, "height": 48,
        "neg_category_ids": absent, "not_exhaustive_category_ids": partly, **others,
    }  # fmt: skip


def thing(picture: int, identity: int, category: int = 2, segmentation: Any = SQUARE) -> dict[str, Any]:
    return {"image_id": picture, "id": identity, "category_id": category, "segmentation": segmentation}


def write(path: Path, images: list[Any], things: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"annotations": things, "images": images, "categories": CATEGORIES}))


@pytest.fixture
def root(tmp_path: Path, put_picture: Any) -> Path:
    for folder in ("train2017", "val2017"):
        for name in (1, 2, 3):
            put_picture(tmp_path / f"lvis/{folder}/{name}.jpg")
    return tmp_path / "lvis"


@pytest.mark.parametrize("folder", [".", "annotations"])
def test_pictures_know_what_they_hold_what_they_lack_and_what_is_open(folder: str, root: Path, read_all: Any) -> None:
    write(root / folder / "lvis_v1_val.json", [image(2, [1, 3], [2]), image(1, folder="val2017")], [thing(2, 5)])
    source = open_lvis(root, "val")
    assert isinstance(source, Dataset)
    assert source.annotated
    images, rejections = read_all(source)
    assert rejections == []
    assert {key: item.image_uri for key, item in images.items()} == {
        "000000000001": "val2017/1.jpg",
        "000000000002": "train2017/2.jpg",
    }
    two = images["000000000002"]
    assert (two.width, two.height, two.split, two.captions, two.expressions) == (64, 48, "val", (), ())
    assert [(item.noun, item.kind, item.box.xyxy()) for item in two.objects] == [("cat", "thing", (10, 10, 30, 30))]
    assert (two.absent_nouns, two.partial_nouns) == (("bell pepper", "bow"), ("cat",))


def test_v1_is_read_before_v05_and_v05_by_the_end_of_its_file_names(
    root: Path, read_all: Any, put_picture: Any
) -> None:
    put_picture(root / "train2017/000000000007.jpg")
    old = image(7, file_name="COCO_train2014_000000000007.jpg")
    del old["coco_url"]
    write(root / "lvis_v0.5_train.json", [old], [thing(7, 1)])
    assert read_all(open_lvis(root))[0]["000000000007"].image_uri == "train2017/000000000007.jpg"
    write(root / "lvis_v1_train.json", [image(1)], [])
    assert list(read_all(open_lvis(root))[0]) == ["000000000001"]


def test_where_an_annotation_is_lost_its_noun_is_no_longer_exhaustive(root: Path, read_all: Any) -> None:
    things = [thing(1, 1), thing(1, 2, 2, []), thing(1, 3, 1), thing(1, 4, 77), thing(2, 5), thing(9, 6)]
    write(root / "lvis_v1_train.json", [image(1), image(2)], things)
    images, rejections = read_all(open_lvis(root))
    assert [item.partial_nouns for item in images.values()] == [("cat",), ()]
    assert rejections == [
        ("lvis/000000000001@2", Reason.DEGENERATE_POLYGON),
        ("lvis/000000000001@4", Reason.MALFORMED_RECORD),
        ("lvis/000000000009@6", Reason.MALFORMED_RECORD),
    ]


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ({"neg_category_ids": [99]}, Reason.MALFORMED_RECORD),
        ({"neg_category_ids": None}, Reason.MALFORMED_RECORD),
        ({"not_exhaustive_category_ids": [[]]}, Reason.MALFORMED_RECORD),
        ({"not_exhaustive_category_ids": "2"}, Reason.MALFORMED_RECORD),
        ({"coco_url": "http://images.invalid/../secret.jpg"}, Reason.UNSAFE_PATH),
        ({"coco_url": "file:///etc/passwd"}, Reason.MISSING_IMAGE),
        ({"coco_url": ""}, Reason.UNSAFE_PATH),
        ({"coco_url": None}, Reason.MALFORMED_RECORD),
        ({"coco_url": "http://images.invalid/train2017/8.jpg"}, Reason.MISSING_IMAGE),
        ({"width": 65}, Reason.SIZE_MISMATCH),
        ({"height": "48"}, Reason.MALFORMED_RECORD),
    ],
)
def test_a_bad_picture_is_one_rejection(others: Any, reason: Reason, root: Path, read_all: Any) -> None:
    write(root / "lvis_v1_train.json", [image(1), image(2, **others), image(3)], [thing(2, 1)])
    images, rejections = read_all(open_lvis(root))
    assert list(images) == ["000000000001", "000000000003"]
    assert rejections == [("lvis/000000000002", reason)]


def test_what_is_missing_is_said_at_once(root: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"root .*nowhere is not a folder"):
        open_lvis(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"none of the files lvis_v1_train\.json, annotations/lvis_v1_train"):
        open_lvis(root)
    with pytest.raises(ValueError, match="lvis has no split 'test': expected 'train' or 'val'"):
        open_lvis(root, "test")
    (root / "lvis_v1_val.json").write_text('{"categories": [{"id": 1}]}')
    with pytest.raises(ValueError, match=r"lvis_v1_val\.json: a malformed category: name: expected a string"):
        open_lvis(root, "val")


def test_the_world_comes_back_with_its_kinds_of_categories(tmp_path: Path, read_all: Any) -> None:
    world = World(num_scenes=24, width=80, height=64, seed=3)
    layout.write(tmp_path, world)
    num_partial = 0
    for split in ("train", "val"):
        found, rejections = read_all(open_lvis(tmp_path, split))
        assert rejections == []
        for key, image in found.items():
            drawing = draw(world, int(key) - 1)
            assert drawing.split == split
            assert list(image.absent_nouns) == layout.absent_shapes(drawing)
            assert set(image.partial_nouns) == layout.partial_shapes(drawing)
            num_partial += len(image.partial_nouns)
            shapes = [thing.shape for thing in drawing.scene.objects]
            assert not set(image.absent_nouns) & set(shapes)
            for noun in set(shapes):
                rendered = [mask for mask, shape in zip(drawing.rendering.masks, shapes, strict=True) if shape == noun]
                masks = [rle.decode(item.rle, image.height, image.width) for item in image.objects if item.noun == noun]
                num_shown = sum(bool(mask.any()) for mask in rendered)
                assert len(masks) == num_shown - (noun in image.partial_nouns)
                for mask in masks:
                    assert max(np.minimum(mask, own).sum() / np.maximum(mask, own).sum() for own in rendered) > 0.97
    assert num_partial > 0


@pytest.mark.skipif(not REAL.is_dir(), reason="no sample of LVIS at hand")
def test_all_of_the_real_sample_is_read(tmp_path: Path, read_all: Any) -> None:
    images, rejections = read_all(open_lvis(REAL, "val"))
    assert rejections == []
    assert {key: [item.noun for item in image.objects] for key, image in images.items()} == {
        "000000223747": ["cat", "jean"],
        "000000346638": ["computer keyboard", "computer mouse", "monitor", "speaker"],
        "000000359937": ["bus", "bus"],
    }
    assert "polar bear" in images["000000359937"].absent_nouns
    (tmp_path / "lvis_v0.5_val.json").symlink_to(REAL / "lvis_v0.5_val_100.json")
    shutil.copytree(REAL / "val2017", tmp_path / "val2017")
    older, missing = read_all(open_lvis(tmp_path, "val"))
    assert older == images
    assert {reason for _, reason in missing} == {Reason.MISSING_IMAGE}
    assert len(missing) == 97
