from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cologen.datagen import rle
from cologen.datagen.datasets.ade20k.challenge import open_challenge
from cologen.datagen.records import Reason

REAL = Path(__file__).resolve().parents[5] / "shared/real/ade20k_challenge"

WALL, SKY, BED, LAMP = 1, 3, 8, 37
BED_CATEGORY, LAMP_CATEGORY = 1, 19
NAME = "ADE_train_{:08d}"


def labels() -> np.ndarray:
    """A wall above, two beds below, a lamp between; 0 is none of the classes."""
    values = np.zeros((48, 64), dtype=np.uint8)
    values[:20] = WALL
    values[30:, :20] = values[30:, 40:] = BED
    values[25:45, 28:34] = LAMP
    return values


def instances() -> np.ndarray:
    values = np.zeros((48, 64, 3), dtype=np.uint8)
    values[30:, :20, :2] = (BED_CATEGORY, 1)
    values[30:, 40:, :2] = (BED_CATEGORY, 2)
    values[25:45, 28:34, :2] = (LAMP_CATEGORY, 200)
    return values


@pytest.fixture
def base(tmp_path: Path, put_picture: Any, put_map: Any) -> Path:
    folder = tmp_path / "ade/ADEChallengeData2016"
    for number in range(1, 8):
        put_picture(folder / f"images/training/{NAME.format(number)}.jpg")
        put_map(folder / f"annotations/training/{NAME.format(number)}.png", labels())
    lines = [f"{NAME.format(1)} bedroom", f"{NAME.format(2)} misc"]
    (folder / "sceneCategories.txt").write_text("\n".join(lines))
    return folder


def found_in(image: Any) -> set[tuple[str, str, tuple[float, ...]]]:
    return {(item.noun, item.kind, item.box.xyxy()) for item in image.objects}


BEDROOM = {
    ("wall", "stuff", (0, 0, 64, 20)),
    ("bed", "thing", (0, 30, 20, 48)),
    ("bed", "thing", (40, 30, 64, 48)),
    ("lamp", "thing", (28, 25, 34, 45)),
}


def test_without_instances_each_region_is_an_object(base: Path, read_all: Any) -> None:
    found, rejections = read_all(open_challenge(base.parent))
    assert rejections == []
    assert list(found) == [NAME.format(number) for number in range(1, 8)]
    image = found[NAME.format(1)]
    assert image.image_uri == "ADEChallengeData2016/images/training/ADE_train_00000001.jpg"
    assert (image.width, image.height, image.split) == (64, 48, "train")
    assert found_in(image) == BEDROOM
    assert image.captions == ("a bedroom with a wall, two beds and a lamp",)
    assert found[NAME.format(2)].captions == ("a wall, two beds and a lamp",)
    assert read_all(open_challenge(base))[0][NAME.format(1)].image_uri == "images/training/ADE_train_00000001.jpg"


def test_instances_tell_things_apart_and_stuff_stays(base: Path, read_all: Any, put_map: Any) -> None:
    touching = labels()
    touching[30:, :64] = BED
    for number in range(1, 8):
        put_map(base / f"annotations/training/{NAME.format(number)}.png", touching)
        put_map(base / f"annotations_instance/training/{NAME.format(number)}.png", instances())
    found, rejections = read_all(open_challenge(base))
    assert rejections == []
    assert all(found_in(image) == BEDROOM for image in found.values())


def test_names_and_numbers_may_come_with_the_data(base: Path, read_all: Any, put_map: Any) -> None:
    rows = [
        f"{value}\t0.1\t10\t10\t{name}" for value, name in ((1, "brick, bricks"), (8, "star"), (37, "moon, crescent"))
    ]
    (base / "objectInfo150.txt").write_text("\n".join(["Idx\tRatio\tTrain\tVal\tName", *rows]))
    (base / "categoryMapping.txt").write_text(
        "Instance100\tSceneParse150\tFullADE20K\n1\t\t8\t\t165\n19\t\t37\t\t1395\n"
    )
    for number in range(1, 8):
        put_map(base / f"annotations_instance/training/{NAME.format(number)}.png", instances())
    found, _ = read_all(open_challenge(base))
    assert Counter(item.noun for item in found[NAME.format(3)].objects) == {"brick": 1, "star": 2, "moon": 1}


def test_every_bad_picture_is_counted_by_its_reason(
    base: Path, read_all: Any, put_map: Any, put_picture: Any, spoil: Any
) -> None:
    put_picture(base / f"images/training/{NAME.format(8)}.jpg")
    put_map(base / f"annotations/training/{NAME.format(8)}.png", labels())
    for number, change in enumerate(spoil.values(), start=2):
        path = base / f"images/training/{NAME.format(number)}.jpg"
        data = change(path.read_bytes())
        path.unlink()
        if data is not None:
            path.write_bytes(data)
    found, rejections = read_all(open_challenge(base))
    assert list(found) == [NAME.format(1)]
    assert rejections == [(f"ade20k/{NAME.format(i)}", reason) for i, reason in enumerate(spoil, start=2)]


def test_label_maps_must_fit_their_pictures(base: Path, read_all: Any, put_map: Any, put_picture: Any) -> None:
    folder = base / "annotations/training"
    put_map(folder / f"{NAME.format(2)}.png", labels()[1:])
    (folder / f"{NAME.format(3)}.png").unlink()
    put_map(folder / f"{NAME.format(4)}.png", instances())
    strange = labels()
    strange[0, 0] = 200
    put_map(folder / f"{NAME.format(5)}.png", strange)
    put_picture(base / f"images/training/{NAME.format(6)}.jpg", orientation=6)
    found, rejections = read_all(open_challenge(base))
    assert [image_id[-1] for image_id in found] == ["1", "5", "6", "7"]
    assert all(len(image.objects) == 4 for image in found.values())
    assert rejections == [
        (f"ade20k/{NAME.format(2)}", Reason.SIZE_MISMATCH),
        (f"ade20k/{NAME.format(3)}", Reason.MISSING_IMAGE),
        (f"ade20k/{NAME.format(4)}", Reason.UNSUPPORTED_MODE),
        (f"ade20k/{NAME.format(5)}@class-200", Reason.MALFORMED_RECORD),
    ]


def test_a_bad_instance_is_one_rejection(base: Path, read_all: Any, put_map: Any) -> None:
    folder = base / "annotations_instance/training"
    for number in range(1, 8):
        put_map(folder / f"{NAME.format(number)}.png", instances())
    strange = instances()
    strange[0, 0] = (0, 7, 0)
    strange[1, 0] = (101, 8, 0)
    put_map(folder / f"{NAME.format(1)}.png", strange)
    put_map(folder / f"{NAME.format(2)}.png", instances()[:, 1:])
    (folder / f"{NAME.format(3)}.png").unlink()
    found, rejections = read_all(open_challenge(base))
    assert found_in(found[NAME.format(1)]) == BEDROOM
    assert rejections == [
        (f"ade20k/{NAME.format(1)}@instance-7", Reason.MALFORMED_RECORD),
        (f"ade20k/{NAME.format(1)}@instance-8", Reason.MALFORMED_RECORD),
        (f"ade20k/{NAME.format(2)}", Reason.SIZE_MISMATCH),
        (f"ade20k/{NAME.format(3)}", Reason.MISSING_IMAGE),
    ]


@pytest.mark.parametrize("place", ["inside", "beside", "given"])
def test_captions_are_joined_by_file_name(place: str, base: Path, read_all: Any) -> None:
    parents = {"inside": base, "beside": base.parent, "given": base.parent.parent / "elsewhere"}
    folder = parents[place] / "Captioned_ADE20K/data"
    folder.mkdir(parents=True)
    names = [f"images/training/{NAME.format(number)}.jpg" for number in (1, 2, 3)]
    table = pa.table({"image_path": names, "prompt": ["A bedroom.", None, "  "], "detailed_prompt": ["x", "y", "z"]})
    pq.write_table(table, folder / "train-00000-of-00001.parquet")
    source = open_challenge(base, captions=folder if place == "given" else None)
    found, rejections = read_all(source)
    assert found[NAME.format(1)].captions == ("A bedroom.",)
    assert found[NAME.format(4)].captions == ("a wall, two beds and a lamp",)
    assert rejections == [(f"ade20k/{NAME.format(i)}", Reason.NULL_CAPTION) for i in (2, 3)]


def test_what_is_missing_is_said_at_once(base: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        open_challenge(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="ADEChallengeData2016/images/validation"):
        open_challenge(base, "val")
    with pytest.raises(FileNotFoundError, match="no Parquet file"):
        open_challenge(base, captions=tmp_path)
    (base / "annotations").rename(base / "somewhere")
    with pytest.raises(FileNotFoundError, match="annotations/training"):
        open_challenge(base)


def test_the_fingerprint_follows_names_and_layout(base: Path, put_map: Any) -> None:
    first = open_challenge(base).fingerprint()
    assert open_challenge(base).fingerprint() == first
    put_map(base / f"annotations_instance/training/{NAME.format(1)}.png", instances())
    second = open_challenge(base).fingerprint()
    (base / f"images/training/{NAME.format(7)}.jpg").unlink()
    (base / f"annotations/training/{NAME.format(7)}.png").unlink()
    assert len({first, second, open_challenge(base).fingerprint()}) == 3


@pytest.mark.skipif(not REAL.is_dir(), reason="no sample of ADE20K at hand")
def test_the_real_sample_has_sensible_objects(read_all: Any) -> None:
    found, rejections = read_all(open_challenge(REAL, "val"))
    assert rejections == []
    abbey, minaret, road = found.values()
    sky = max(rle.area(item.rle) for item in abbey.objects if item.noun == "sky")
    assert sky == pytest.approx(0.385 * 683 * 512, rel=0.01)
    assert Counter(item.noun for item in minaret.objects)["building"] == 2
    assert {item.noun for item in road.objects if item.kind == "thing"} == {"car", "bus", "van"}
    assert road.captions == ("an access road with a road, a sidewalk, sky and an escalator",)
