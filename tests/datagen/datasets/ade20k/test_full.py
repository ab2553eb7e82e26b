import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cologen.datagen.datasets.ade20k.full import open_full
from cologen.datagen.records import Reason

FOLDER = "ADE20K_2021_17_01/images/ADE/training/home/bed_room"
CLASSES = {"wall": 2978, "cat": 350, "lamp": 1395}


def square(x0: int, y0: int, x1: int, y1: int) -> dict[str, Any]:
    return {"x": [x0, x1, x1, x0], "y": [y0, y0, y1, y1], "click_date": []}


def entry(identity: Any, name: str, polygon: object, level: object = 0, **others: object) -> dict[str, Any]:
    parts = {"hasparts": [], "ispartof": 1, "part_level": level}
    kind = CLASSES.get(name.split(",")[0], 1)
    row = {"id": identity, "name": name, "name_ndx": kind, "polygon": polygon, "parts": parts, "crop": "0"}
    return {**row, "instance_mask": f"N1/instance_{identity:03d}_N1.png", "occluded": [], "attributes": "old", **others}


OBJECTS = [
    entry(0, "cat, true cat", square(2, 30, 15, 45), attributes=["black"], occluded="yes"),
    entry(1, "wall", square(0, 0, 63, 47)),
    entry(2, "cat, true cat", square(40, 30, 60, 45)),
    entry(3, "head", square(2, 30, 8, 36), level=1, hasparts=4),
    entry(4, "lamp", square(28, 10, 33, 30), level="0"),
]
BOXES = {"wall": (0, 0, 64, 48), "lamp": (28, 10, 34, 31)}
CATS = {(2, 30, 16, 46), (40, 30, 61, 46)}


def seen() -> np.ndarray:
    """The object seen at each pixel, numbered from 1 in the order of ``OBJECTS``."""
    values = np.full((48, 64), 2)
    values[30:46, 2:16], values[30:46, 40:61], values[10:31, 28:34] = 1, 3, 5
    return values


def segmentation() -> np.ndarray:
    """Blue counts against the ids, with gaps."""
    pixels = np.zeros((48, 64, 3), dtype=np.uint8)
    for number, item in enumerate(OBJECTS, start=1):
        high, low = divmod(item["name_ndx"], 256)
        pixels[seen() == number] = (high * 10, low, 255 - 40 * number)
    return pixels


@pytest.fixture
def root(tmp_path: Path, put_picture: Any, put_map: Any) -> Path:
    folder = tmp_path / "ade" / FOLDER
    put_picture(folder / "N1.jpg")
    put_map(folder / "N1_seg.png", segmentation())
    for number, item in enumerate(OBJECTS, start=1):
        mask = np.where(seen() == number, 255, 0)
        mask[0, 0] = mask[0, 0] or 128
        put_map(folder / item["instance_mask"], mask)
    write(folder, OBJECTS)
    return tmp_path / "ade"


def write(folder: Path, objects: object, **others: object) -> None:
    annotation = {
        "filename": "N1.jpg",
        "imsize": [48, 64, 3],
        "scene": ["home", "bed_room"],
        "object": objects,
        **others,
    }
    (folder / "N1.json").write_text(json.dumps({"annotation": annotation}))


def check(image: Any) -> None:
    boxes = {item.noun: item.box.xyxy() for item in image.objects}
    assert {noun: boxes[noun] for noun in BOXES} == BOXES
    assert {item.box.xyxy() for item in image.objects if item.noun == "cat"} == CATS
    assert {(item.noun, item.kind) for item in image.objects} == {
        ("wall", "stuff"),
        ("cat", "thing"),
        ("lamp", "thing"),
    }


def test_whole_objects_are_read_from_instance_masks(root: Path, read_all: Any) -> None:
    (root / FOLDER / "N1_seg.png").unlink()
    found, rejections = read_all(open_full(root))
    assert rejections == []
    image = found["N1"]
    assert (image.image_uri, image.width, image.height) == (f"{FOLDER}/N1.jpg", 64, 48)
    assert image.captions == ("a bed room with a wall, two cats and a lamp",)
    check(image)


def test_or_from_the_segmentation_by_class_and_polygon(root: Path, read_all: Any) -> None:
    for path in (root / FOLDER / "N1").iterdir():
        path.unlink()
    found, rejections = read_all(open_full(root / "ADE20K_2021_17_01"))
    assert rejections == []
    check(found["N1"])


BAD_OBJECTS: list[tuple[Any, Reason]] = [
    (entry(9, "wall", square(0, 0, 63, 47)), Reason.MISSING_IMAGE),
    (entry(9, "wall", square(0, 0, 63, 47), instance_mask="../../../../secret.png"), Reason.UNSAFE_PATH),
    (entry(9, "wall", square(0, 0, 63, 47), instance_mask=None), Reason.MISSING_IMAGE),
    (entry(9, " ", square(0, 0, 63, 47)), Reason.MALFORMED_RECORD),
    ({**entry(9, "wall", square(0, 0, 63, 47)), "name": 3}, Reason.MALFORMED_RECORD),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_OBJECTS)
def test_a_bad_object_is_one_rejection(bad: Any, reason: Reason, root: Path, read_all: Any) -> None:
    (root / FOLDER / "N1_seg.png").unlink()
    write(root / FOLDER, [*OBJECTS, bad, "no object"])
    found, rejections = read_all(open_full(root))
    check(found["N1"])
    assert rejections == [("ade20k/N1@object-9", reason), ("ade20k/N1@object-6", Reason.MALFORMED_RECORD)]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (entry(9, "cat", square(20, 2, 25, 5)), Reason.EMPTY_MASK),
        (entry(9, "cat", {"x": [1, 2], "y": [1, 2]}), Reason.DEGENERATE_POLYGON),
        (entry(9, "cat", {"x": [1, 2, 3], "y": [1, 2]}), Reason.MALFORMED_RECORD),
        (entry(9, "cat", []), Reason.MALFORMED_RECORD),
        (entry(9, "cat", square(0, 0, 9, 9), name_ndx="350"), Reason.MALFORMED_RECORD),
    ],
)
def test_a_bad_polygon_is_one_rejection(bad: Any, reason: Reason, root: Path, read_all: Any) -> None:
    write(root / FOLDER, [*OBJECTS, bad])
    found, rejections = read_all(open_full(root))
    check(found["N1"])
    assert rejections == [("ade20k/N1@object-9", reason)]


def test_masks_of_another_size_are_refused(root: Path, read_all: Any, put_map: Any) -> None:
    put_map(root / FOLDER / "N1/instance_001_N1.png", np.full((48, 63), 255))
    put_map(root / FOLDER / "N1/instance_000_N1.png", np.full((48, 64), 128))
    found, rejections = read_all(open_full(root))
    assert len(found["N1"].objects) == 2
    assert rejections == [
        ("ade20k/N1@object-0", Reason.EMPTY_MASK),
        ("ade20k/N1@object-1", Reason.SIZE_MISMATCH),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"annotation": {', Reason.MALFORMED_JSON),
        (b'{"annotation": {"x": "\xff"}}', Reason.INVALID_UTF8),
        (b'{"annotation": []}', Reason.MALFORMED_RECORD),
        (b'{"annotation": {"imsize": [48], "object": []}}', Reason.MALFORMED_RECORD),
        (b'{"annotation": {"imsize": [49, 64, 3], "object": []}}', Reason.SIZE_MISMATCH),
        (b'{"annotation": {"imsize": [48, 64, 3], "object": {}}}', Reason.MALFORMED_RECORD),
        (b"", Reason.EMPTY_FILE),
        (None, Reason.MISSING_IMAGE),
    ],
)
def test_a_bad_document_is_one_rejection(text: bytes | None, reason: Reason, root: Path, read_all: Any) -> None:
    (root / FOLDER / "N1.json").unlink()
    if text is not None:
        (root / FOLDER / "N1.json").write_bytes(text)
    assert read_all(open_full(root)) == ({}, [("ade20k/N1", reason)])


def test_every_bad_picture_is_counted_by_its_reason(root: Path, read_all: Any, spoil: Any) -> None:
    picture = root / FOLDER / "N1.jpg"
    good = picture.read_bytes()
    for reason, change in spoil.items():
        picture.unlink(missing_ok=True)
        if (data := change(good)) is not None:
            picture.write_bytes(data)
        assert read_all(open_full(root)) == ({}, [("ade20k/N1", reason)])


def test_what_is_missing_is_said_at_once(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match="ADE20K_2021_17_01/images/ADE/validation"):
        open_full(root, "val")
