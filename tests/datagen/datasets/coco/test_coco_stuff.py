import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cologen.datagen import rle
from cologen.datagen.datasets.coco.coco_stuff import open_cocostuff
from cologen.datagen.records import Reason

REAL = Path(__file__).resolve().parents[5] / "shared/real/coco2017"

SQUARE = [[10, 10, 30, 10, 30, 30, 10, 30]]
WIDTH, HEIGHT = 64, 48


def thing(image: int, identity: int, segmentation: object = SQUARE, **others: object) -> dict[str, Any]:
    return {"image_id": image, "id": identity, "category_id": 18, "iscrowd": 0, "segmentation": segmentation, **others}


def caption(image: int, text: object, identity: int = 0) -> dict[str, Any]:
    return {"image_id": image, "id": image * 10 + identity, "caption": text}


def write(root: Path, images: list[Any], things: list[Any], captions: list[Any], split: str = "train") -> None:
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    categories = [{"id": 18, "name": "dog", "supercategory": "animal"}, {"id": 1, "name": "person"}]
    categories.append({"id": 5, "name": "\u200b."})
    instances = {"info": {}, "images": images, "annotations": things, "categories": categories}
    (root / f"annotations/instances_{split}2017.json").write_text(json.dumps(instances))
    (root / f"annotations/captions_{split}2017.json").write_text(json.dumps({"annotations": captions}))


def image(identity: Any, **others: object) -> dict[str, Any]:
    return {"id": identity, "file_name": f"{identity}.jpg", "width": WIDTH, "height": HEIGHT, **others}


@pytest.fixture
def root(tmp_path: Path, put_picture: Any) -> Path:
    for name in range(1, 10):
        put_picture(tmp_path / f"coco/train2017/{name}.jpg")
    return tmp_path / "coco"


def test_pictures_come_by_id_with_captions_and_objects(root: Path, read_all: Any) -> None:
    write(
        root,
        [image(9), image(2)],
        [thing(2, 5), thing(9, 6, category_id=1), thing(2, 7, [[0, 0, 5, 0, 5, 5], [20, 20, 25, 20, 25, 25]])],
        [caption(9, "  A\n person. "), caption(2, "Two dogs."), caption(2, "Dogs.", 1)],
    )
    images, rejections = read_all(open_cocostuff(root))
    assert rejections == []
    assert list(images) == ["000000000002", "000000000009"]
    assert images["000000000009"].captions == ("A person.",)
    two = images["000000000002"]
    assert (two.image_uri, two.width, two.height, two.split) == ("train2017/2.jpg", WIDTH, HEIGHT, "train")
    assert two.captions == ("Two dogs.", "Dogs.")
    assert [(item.noun, item.kind, item.score) for item in two.objects] == [("dog", "thing", 1.0)] * 2
    assert two.objects[0].box.xyxy() == (10, 10, 30, 30)
    assert rle.area(two.objects[0].rle) == 400


def test_crowds_are_run_lengths_in_either_form(root: Path, read_all: Any) -> None:
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[5:20, 7:40] = mask[30:, 50:] = 1
    counts = rle.encode(mask)
    forms = [rle.runs(counts).tolist(), counts.decode()]
    things = [thing(1, i, {"counts": form, "size": [HEIGHT, WIDTH]}, iscrowd=1) for i, form in enumerate(forms)]
    write(root, [image(1)], things, [caption(1, "Dogs.")])
    images, rejections = read_all(open_cocostuff(root))
    assert rejections == []
    for item in images["000000000001"].objects:
        assert (item.kind, item.rle, item.box.xyxy()) == ("crowd", counts, (7, 5, 64, 48))


BAD_ANNOTATIONS: list[tuple[Any, Reason]] = [
    (thing(1, 3, [[100, 100, 120, 100, 120, 120]]), Reason.OUTSIDE_IMAGE),
    (thing(1, 3, [[-50, 10, -20, 10, -20, 30]]), Reason.OUTSIDE_IMAGE),
    (thing(1, 3, [[10, 10, 1e12, 10, 30, 30]]), Reason.OUTSIDE_IMAGE),
    (thing(1, 3, [[10, 10, 10**400, 10, 30, 30]]), Reason.OUTSIDE_IMAGE),
    (thing(1, 3, [[10, 10, 30, 30]]), Reason.DEGENERATE_POLYGON),
    (thing(1, 3, [[10, 10, 20, 10, 30, 10]]), Reason.DEGENERATE_POLYGON),
    (thing(1, 3, []), Reason.DEGENERATE_POLYGON),
    (thing(1, 3, [[10, 10, float("nan"), 10, 30, 30]]), Reason.DEGENERATE_POLYGON),
    (thing(1, 3, [[10, 10, "20", 10, 30, 30]]), Reason.MALFORMED_RECORD),
    (thing(1, 3, [10, 10, 20, 10, 30, 30]), Reason.MALFORMED_RECORD),
    (thing(1, 3, None), Reason.MALFORMED_RECORD),
    (thing(1, 3, {"counts": [100], "size": [10, 10]}), Reason.MALFORMED_RECORD),
    (thing(1, 3, {"counts": [100], "size": [HEIGHT, WIDTH]}), Reason.MALFORMED_RECORD),
    (thing(1, 3, {"counts": [0.5, 3], "size": [HEIGHT, WIDTH]}), Reason.MALFORMED_RECORD),
    (thing(1, 3, {"counts": "P1~~", "size": [HEIGHT, WIDTH]}), Reason.MALFORMED_RECORD),
    (thing(1, 3, {"size": [HEIGHT, WIDTH]}), Reason.MALFORMED_RECORD),
    (thing(1, 3, {"counts": [HEIGHT * WIDTH], "size": [HEIGHT, WIDTH]}), Reason.EMPTY_MASK),
    (thing(1, 3, category_id=77), Reason.MALFORMED_RECORD),
    (thing(1, 3, category_id="dog"), Reason.MALFORMED_RECORD),
    ({"image_id": 1, "id": 3}, Reason.MALFORMED_RECORD),
    (thing(1, 3, [[10, 10, 20, 10, 30, 30], "\ud83d"]), Reason.MALFORMED_RECORD),
    *(
        (thing(1, 3, value), Reason.MALFORMED_RECORD)
        for value in (float("nan"), True, False, 0, 5, 1.5, "", "[[1, 2]]")
    ),
    *((thing(1, 3, value), Reason.MALFORMED_RECORD) for value in ({}, "polygon_lengths", {"polygon_lengths": [8]})),
    (thing(1, 3, [SQUARE]), Reason.MALFORMED_RECORD),
    (thing(1, 3, [{"x": 1}]), Reason.MALFORMED_RECORD),
    (thing(1, 3, [[]]), Reason.DEGENERATE_POLYGON),
    (thing(1, 3, [*SQUARE, [1, 2, 3]]), Reason.MALFORMED_RECORD),
    (thing(1, 3, [[10, 10, 30, 10, 30, 30, 5]]), Reason.MALFORMED_RECORD),
    *(
        (thing(1, 3, {"counts": counts, "size": [HEIGHT, WIDTH]}), Reason.MALFORMED_RECORD)
        for counts in (
            None,
            True,
            5,
            float("nan"),
            {},
            [],
            [True],
            ["5"],
            [None],
            [-1, 3073],
            [10**30],
            "",
            "é",
            "\ud83d",
        )
    ),
    *(
        (thing(1, 3, {"counts": [0, HEIGHT * WIDTH], "size": size}), Reason.MALFORMED_RECORD)
        for size in (None, True, HEIGHT, [], [HEIGHT], [WIDTH, HEIGHT], [str(HEIGHT), str(WIDTH)], {"h": HEIGHT})
    ),
    *((thing(1, 3, iscrowd=value), Reason.MALFORMED_RECORD) for value in (2, "yes", [], {}, float("nan"), [0])),
    *(
        (thing(1, 3, category_id=value), Reason.MALFORMED_RECORD)
        for value in (None, True, float("nan"), 18.5, [18], {}, "", 10**40)
    ),
    (thing(1, 3, category_id=5), Reason.MALFORMED_RECORD),
    (thing(1, 3, [[0, 0, 90000, 90000] * 2000]), Reason.OUTSIDE_IMAGE),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_ANNOTATIONS)
def test_a_bad_annotation_is_one_rejection_and_nothing_else_is_lost(
    bad: Any, reason: Reason, root: Path, read_all: Any
) -> None:
    write(root, [image(1)], [thing(1, 2), bad, thing(1, 4)], [caption(1, "Dogs.")])
    images, rejections = read_all(open_cocostuff(root))
    assert len(images["000000000001"].objects) == 2
    assert rejections == [("cocostuff/000000000001@3", reason)]


ANY_VALUES: list[Any] = [None, True, 0, -1.5, float("nan"), 1e300, "", "x", [], [[]], {}, {"a": [None]}]


@pytest.mark.parametrize("name", ["id", "image_id", "category_id", "iscrowd", "segmentation", "bbox", "area"])
def test_any_value_in_any_field_of_an_annotation_is_one_rejection_or_none(name: str, root: Path, read_all: Any) -> None:
    things = [thing(1, 10 + place, **{name: value}) for place, value in enumerate(ANY_VALUES)]
    write(root, [image(1)], [thing(1, 2), *things, thing(1, 4)], [caption(1, "Dogs.")])
    images, rejections = read_all(open_cocostuff(root))
    found = images["000000000001"].objects
    assert len(found) + len(rejections) == 2 + len(ANY_VALUES)
    assert len(found) >= 2


@pytest.mark.parametrize("name", ["id", "file_name", "width", "height"])
def test_any_value_in_any_field_of_a_picture_loses_no_other(name: str, root: Path, read_all: Any) -> None:
    for value in ANY_VALUES:
        pictures = [image(1), {**image(2), name: value}, image(3)]
        write(root, pictures, [thing(i, i) for i in (1, 2, 3)], [caption(i, "Dogs.") for i in (1, 2, 3)])
        images, rejections = read_all(open_cocostuff(root))
        assert list(images) == ["000000000001", "000000000003"]
        assert rejections
        others = ("cocostuff/000000000001", "cocostuff/000000000003")
        assert not any(sample_id.startswith(others) for sample_id, _ in rejections)


def test_ids_are_numbers_in_any_form(root: Path, read_all: Any) -> None:
    """As pandas (2.0) and other exporters ("000000000003") write them."""
    pictures = [image(1), {**image(2), "id": 2.0}, {**image(3), "id": "000000000003", "width": 64.0}]
    things = [{**thing(1, 1), "image_id": form} for form in (1, 1.0, "1", "000000000001")]
    things = [{**each, "id": place} for place, each in enumerate(things)]
    things += [thing(2, 5, category_id=18.0), thing(3, 6, category_id="18"), thing(3, "7", iscrowd="0")]
    runs = {"counts": [48.0 * 10, 48.0, 48.0 * 53], "size": [48.0, 64.0]}
    things += [thing(3, 8.0, runs, iscrowd="1"), thing(2, 9, iscrowd=False)]
    write(root, pictures, things, [caption(1, "Dogs."), {**caption(2, "Dogs."), "image_id": "2"}, caption(3, "Dogs.")])
    images, rejections = read_all(open_cocostuff(root))
    assert rejections == []
    assert {key: [item.kind for item in one.objects] for key, one in images.items()} == {
        "000000000001": ["thing"] * 4,
        "000000000002": ["thing"] * 2,
        "000000000003": ["thing", "thing", "crowd"],
    }


def test_each_lost_annotation_and_caption_is_counted_by_itself(root: Path, read_all: Any) -> None:
    lost = [thing(99, 300 + place) for place in range(300)]
    captions = [caption(1, "Dogs."), caption(98, "Lost."), {"id": 7, "caption": "Lost."}]
    write(root, [image(1)], [*lost, thing(1, 1), {**thing(1, 2), "image_id": None}], captions)
    images, rejections = read_all(open_cocostuff(root))
    assert len(images["000000000001"].objects) == 1
    assert Counter(sample_id for sample_id, _ in rejections) == Counter(
        [f"cocostuff/000000000099@{300 + place}" for place in range(300)]
        + ["cocostuff/~orphans@2", "cocostuff/000000000098@caption-980", "cocostuff/~orphans@caption-7"]
    )


def test_an_annotation_listed_twice_is_kept_once(root: Path, read_all: Any) -> None:
    far = [[40, 10, 60, 10, 60, 30]]
    write(root, [image(1)], [thing(1, 2), thing(1, 2), thing(1, 2, far)], [caption(1, "Dogs.")])
    images, rejections = read_all(open_cocostuff(root))
    assert [item.box.x0 for item in images["000000000001"].objects] == [10, 41]
    assert rejections == [("cocostuff/000000000001@2", Reason.DUPLICATE_ID)]


def test_one_spoiled_element_takes_no_other_with_it(root: Path, read_all: Any) -> None:
    deep = "[" * 200 + "]" * 200
    things = [thing(1, place, f"SPOIL{place}") for place in range(3)] + [thing(1, 9)]
    write(root, [image(1)], things, [caption(1, "Dogs."), caption(1, "MARK", 1)])
    for name, changes in (
        ("captions", [(b"MARK", b"\xff\xfe")]),
        ("instances", [(b'"SPOIL0"', deep.encode()), (b'"SPOIL1"', b'[], "id": 1'), (b"SPOIL2", b"\xff")]),
    ):
        path = root / f"annotations/{name}_train2017.json"
        data = path.read_bytes()
        for old, new in changes:
            data = data.replace(old, new)
        path.write_bytes(data)
    images, rejections = read_all(open_cocostuff(root))
    assert (len(images["000000000001"].objects), images["000000000001"].captions) == (1, ("Dogs.",))
    assert rejections == [
        ("cocostuff/000000000001@caption-1", Reason.INVALID_UTF8),
        ("cocostuff/000000000001@0", Reason.MALFORMED_JSON),
        ("cocostuff/000000000001@1", Reason.MALFORMED_JSON),
        ("cocostuff/000000000001@2", Reason.INVALID_UTF8),
    ]


def test_a_byte_order_mark_is_passed_over_and_other_encodings_are_named(root: Path, read_all: Any) -> None:
    write(root, [image(1)], [thing(1, 1)], [caption(1, "Dogs.")])
    paths = [root / f"annotations/{name}_train2017.json" for name in ("instances", "captions")]
    plain = [path.read_text() for path in paths]
    for path, text in zip(paths, plain, strict=True):
        path.write_text(text.replace(", ", ",\r\n"), encoding="utf-8-sig", newline="")
    images, rejections = read_all(open_cocostuff(root))
    assert (len(images), rejections) == (1, [])
    for encoding, name in (
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
    ):
        for path, text in zip(paths, plain, strict=True):
            path.write_text(text, encoding=encoding)
            with pytest.raises(ValueError, match=rf"{path.name}: {name} text, expected UTF-8: convert it"):
                open_cocostuff(root)
            path.write_text(text)


def test_a_number_sign_in_a_name_is_part_of_the_name(root: Path, read_all: Any, put_picture: Any) -> None:
    names = ["a#1.jpg", "old.tar#1.jpg", "b.parquet#row=0&column=image.jpg"]
    for name in names:
        put_picture(root / f"train2017/{name}")
    write(
        root,
        [image(place, file_name=name) for place, name in enumerate(names)],
        [],
        [caption(i, "A") for i in range(3)],
    )
    found, rejections = read_all(open_cocostuff(root))
    assert (len(found), rejections) == (3, [])


def test_two_categories_of_one_id_are_refused(root: Path) -> None:
    write(root, [image(1)], [], [])
    path = root / "annotations/instances_train2017.json"
    path.write_text(path.read_text().replace('"id": 1, "name": "person"', '"id": 18.0, "name": "cat"'))
    with pytest.raises(ValueError, match=r"instances_train2017\.json: the categories 'dog' and 'cat' have one id, 18"):
        open_cocostuff(root)


def test_captions_edited_to_the_same_length_are_another_dataset(root: Path) -> None:
    write(root, [image(1)], [thing(1, 1)], [caption(1, "A dog.")])
    path = root / "annotations/captions_train2017.json"
    before, state = open_cocostuff(root).fingerprint(), path.stat()
    path.write_text(path.read_text().replace("A dog.", "A cat."))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    source = open_cocostuff(root)
    assert source.fingerprint() != before
    reading = source.read(0)
    assert reading.item and reading.item.captions == ("A cat.",)
    path.write_text(path.read_text().replace("A cat.", "A dog."))
    assert open_cocostuff(root).fingerprint() == before


def test_every_bad_picture_is_counted_by_its_reason(root: Path, read_all: Any, spoil: Any) -> None:
    for name, (_, change) in enumerate(spoil.items(), start=2):
        path = root / f"train2017/{name}.jpg"
        data = change(path.read_bytes())
        path.unlink()
        if data is not None:
            path.write_bytes(data)
    numbers = range(1, 2 + len(spoil))
    write(root, [image(i) for i in numbers], [thing(i, i) for i in numbers], [caption(i, "Dogs.") for i in numbers])
    images, rejections = read_all(open_cocostuff(root))
    assert list(images) == ["000000000001"]
    assert rejections == [(f"cocostuff/{i:012d}", reason) for i, reason in enumerate(spoil, start=2)]


def test_a_picture_turned_by_exif_keeps_to_its_annotation(root: Path, read_all: Any, put_picture: Any) -> None:
    put_picture(root / "train2017/1.jpg", orientation=6)
    put_picture(root / "train2017/2.jpg", size=(HEIGHT, WIDTH), orientation=6)
    put_picture(root / "train2017/3.jpg", size=(65, 48))
    write(root, [image(i) for i in (1, 2, 3)], [], [caption(i, "A dog.") for i in (1, 2, 3)])
    images, rejections = read_all(open_cocostuff(root))
    assert [(item.width, item.height) for item in images.values()] == [(WIDTH, HEIGHT)] * 2
    assert rejections == [("cocostuff/000000000003", Reason.SIZE_MISMATCH)]


def test_captions_without_words_and_records_without_sense(root: Path, read_all: Any) -> None:
    images = [image(1), image(2), image(3), image(4, file_name="../../secret.jpg"), image(5, width="64"), image("six")]
    captions = [
        caption(1, None),
        caption(1, " \n", 1),
        caption(2, "A dog."),
        caption(2, "\ud83d", 1),
        caption(2, "N/A", 2),
    ]
    write(root, [*images, [7], image(2)], [thing(1, 1), thing(99, 8), thing(2, 9)], [*captions, caption(4, "A dog.")])
    found, rejections = read_all(open_cocostuff(root))
    assert list(found) == ["000000000002"]
    assert len(found["000000000002"].objects) == 1
    assert rejections == [
        ("cocostuff/000000000001", Reason.NULL_CAPTION),
        ("cocostuff/000000000002@caption-21", Reason.INVALID_UTF8),
        ("cocostuff/000000000002@caption-22", Reason.NULL_CAPTION),
        ("cocostuff/000000000002", Reason.DUPLICATE_ID),
        ("cocostuff/000000000003", Reason.NULL_CAPTION),
        ("cocostuff/000000000004", Reason.UNSAFE_PATH),
        ("cocostuff/000000000005", Reason.MALFORMED_RECORD),
        ("cocostuff/~image-5", Reason.MISSING_IMAGE),
        ("cocostuff/~image-6", Reason.MALFORMED_RECORD),
        ("cocostuff/000000000099@8", Reason.MALFORMED_RECORD),
    ]


def test_invalid_utf8_is_a_matter_of_one_picture(root: Path, read_all: Any) -> None:
    write(root, [image(1), image(2)], [], [caption(1, "A MARK."), caption(2, "A dog.")])
    path = root / "annotations/captions_train2017.json"
    path.write_bytes(path.read_bytes().replace(b"MARK", b"\xff\xfe"))
    images, rejections = read_all(open_cocostuff(root))
    assert list(images) == ["000000000002"]
    assert rejections == [("cocostuff/000000000001", Reason.INVALID_UTF8)]


def test_stuff_maps_add_regions(root: Path, read_all: Any, put_map: Any) -> None:
    labels = np.full((HEIGHT, WIDTH), 255)
    labels[:10] = 156
    labels[20:30, :20] = labels[20:30, 40:] = 123
    labels[40:] = 17
    folder = root / "stuffthingmaps_trainval2017/train2017"
    put_map(folder / "1.png", labels)
    put_map(folder / "2.png", labels[1:])
    write(root, [image(i) for i in (1, 2, 3)], [thing(i, i) for i in (1, 2, 3)], [caption(i, "A") for i in (1, 2, 3)])
    images, rejections = read_all(open_cocostuff(root, stuff=True))
    found = [(item.noun, item.kind, item.box.xyxy()) for item in images["000000000001"].objects[1:]]
    assert found == [
        ("grass", "stuff", (0, 20, 20, 30)),
        ("grass", "stuff", (40, 20, 64, 30)),
        ("sky", "stuff", (0, 0, 64, 10)),
    ]
    assert len(images["000000000002"].objects) == len(images["000000000003"].objects) == 1
    assert rejections == [
        ("cocostuff/000000000002@stuff", Reason.SIZE_MISMATCH),
        ("cocostuff/000000000003@stuff", Reason.MISSING_IMAGE),
    ]
    assert open_cocostuff(root).fingerprint() != open_cocostuff(root, stuff=True).fingerprint()


def test_what_is_missing_is_said_at_once(root: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"root .*nowhere is not a folder"):
        open_cocostuff(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no file annotations/instances_train2017\.json under"):
        open_cocostuff(root)
    write(root, [image(1)], [], [])
    with pytest.raises(FileNotFoundError, match="stuffthingmaps_trainval2017/train2017"):
        open_cocostuff(root, stuff=True)
    with pytest.raises(ValueError, match="cocostuff has no split 'test': expected 'train' or 'val'"):
        open_cocostuff(root, "test")
    (root / "annotations/instances_train2017.json").write_text('{"categories": [{"id": 1}]}')
    with pytest.raises(ValueError, match=r"instances_train2017\.json: a malformed category: name: expected a string"):
        open_cocostuff(root)
    (root / "annotations/instances_train2017.json").write_text('{"images": [')
    with pytest.raises(ValueError, match=r"instances_train2017\.json: malformed JSON at byte"):
        open_cocostuff(root)


@pytest.mark.skipif(not REAL.is_dir(), reason="no sample of COCO at hand")
@pytest.mark.parametrize(("split", "num_objects"), [("train", 470), ("val", 382)])
def test_all_of_the_real_sample_is_read(split: str, num_objects: int, read_all: Any) -> None:
    images, rejections = read_all(open_cocostuff(REAL, split))
    assert rejections == []
    assert len(images) == 50
    assert all(len(item.captions) == 5 for item in images.values())
    annotations = json.loads((REAL / f"annotations/instances_{split}2017.json").read_text())["annotations"]
    crowds = sorted(sum(a["segmentation"]["counts"][1::2]) for a in annotations if a["iscrowd"])
    things = sorted(a["area"] for a in annotations if not a["iscrowd"])
    found = {
        kind: sorted(rle.area(item.rle) for image in images.values() for item in image.objects if item.kind == kind)
        for kind in ("thing", "crowd")
    }
    assert len(found["thing"]) + len(found["crowd"]) == num_objects
    assert found["crowd"] == crowds
    # A polygon's area and its pixels differ by up to its edge.
    np.testing.assert_allclose(found["thing"], things, rtol=0.05, atol=60)
