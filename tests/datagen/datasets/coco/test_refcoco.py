import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cologen.datagen import rle
from cologen.datagen.datasets import Dataset
from cologen.datagen.datasets.coco.refcoco import open_refcoco
from cologen.datagen.records import Reason
from cologen.datagen.world.formats import refcoco as layout
from cologen.datagen.world.formats.drawing import Drawing, World, draw
from cologen.datagen.world.referring import Referral, referrals

REAL = Path(__file__).resolve().parents[5] / "shared/real/refcoco_shaped/data"
FOLDER = "images/mscoco/images/train2014"
SQUARE = [[10, 10, 30, 10, 30, 30, 10, 30]]


def image(identity: Any, **others: Any) -> dict[str, Any]:
    return {"id": identity, "file_name": f"{identity}.jpg", "width": 64, "height": 48, **others}


def thing(picture: int, identity: int, segmentation: Any = SQUARE) -> dict[str, Any]:
    return {"image_id": picture, "id": identity, "category_id": 18, "iscrowd": 0, "segmentation": segmentation}


def ref(identity: int, picture: Any, annotation: Any, *texts: Any, split: Any = "train") -> dict[str, Any]:
    sentences = [
        {"sent_id": identity * 10 + place, "sent": text, "raw": "RAW", "tokens": []} for place, text in enumerate(texts)
    ]
    return {
        "ref_id": identity, "image_id": picture, "ann_id": annotation, "split": split, "sentences": sentences,
        "file_name": f"{picture}_3.jpg", "category_id": 18, "sent_ids": [],
    }  # fmt: skip


def write(root: Path, images: list[Any], things: list[Any], refs: Any, name: str = "refcoco") -> None:
    (root / name).mkdir(parents=True, exist_ok=True)
    content = {"images": images, "annotations": things, "categories": [{"id": 18, "name": "dog"}]}
    (root / name / "instances.json").write_text(json.dumps(content))
    file_name = "refs(umd).p" if name == "refcocog" else "refs(unc).p"
    (root / name / file_name).write_bytes(pickle.dumps(refs, protocol=2))


@pytest.fixture
def root(tmp_path: Path, put_picture: Any) -> Path:
    for name in range(1, 6):
        put_picture(tmp_path / f"data/{FOLDER}/{name}.jpg")
    return tmp_path / "data"


def test_pictures_come_by_id_with_all_objects_and_what_is_said_of_them(root: Path, read_all: Any) -> None:
    far = [[40, 10, 60, 10, 60, 30, 40, 30]]
    things = [thing(2, 5), thing(2, 6, far), thing(1, 7), thing(3, 8)]
    write(root, [image(3), image(2), image(1)], things, [ref(1, 2, 6, "right dog"), ref(2, 1, 7, "dog", "the dog")])
    source = open_refcoco(root)
    assert isinstance(source, Dataset)
    assert source.annotated
    images, rejections = read_all(source)
    assert rejections == []
    # The third picture is never referred to.
    assert list(images) == ["000000000001", "000000000002"]
    assert [expression.text for expression in images["000000000001"].expressions] == ["dog", "the dog"]
    two = images["000000000002"]
    assert (two.image_uri, two.width, two.height, two.split) == (f"{FOLDER}/2.jpg", 64, 48, "train")
    assert [item.box.xyxy() for item in two.objects] == [(10, 10, 30, 30), (40, 10, 60, 30)]
    (expression,) = two.expressions
    assert (expression.text, expression.targets) == ("right dog", (1,))


def test_splits_match_by_substring(root: Path, read_all: Any) -> None:
    refs = [ref(i, i, i, "dog", split=split) for i, split in enumerate(("train", "val", "testA", "testB"), start=1)]
    write(root, [image(i) for i in range(1, 5)], [thing(i, i) for i in range(1, 5)], refs)
    found = {
        split: list(read_all(open_refcoco(root, split))[0]) for split in ("train", "val", "testA", "testB", "test")
    }
    numbers = {split: [int(key) for key in keys] for split, keys in found.items()}
    assert numbers == {"train": [1], "val": [2], "testA": [3], "testB": [4], "test": [3, 4]}
    assert len({open_refcoco(root, split).fingerprint() for split in found}) == 5


def test_a_bad_annotation_takes_its_expressions_with_it_and_no_others(root: Path, read_all: Any) -> None:
    things = [thing(1, 4), thing(1, 5, [[1, 1, 2, 2]]), thing(1, 6, [[40, 10, 60, 10, 60, 30]])]
    refs = [ref(1, 1, 4, "dog"), ref(2, 1, 5, "thin dog"), ref(3, 1, 99, "cat"), ref(4, 1, 6, "big dog", None)]
    write(root, [image(1)], things, refs)
    images, rejections = read_all(open_refcoco(root))
    one = images["000000000001"]
    assert [(e.text, e.targets) for e in one.expressions] == [("dog", (0,)), ("big dog", (1,))]
    assert one.partial_nouns == ("dog",)
    assert rejections == [
        ("refcoco/000000000001@5", Reason.DEGENERATE_POLYGON),
        ("refcoco/000000000001@ref-2", Reason.MALFORMED_RECORD),
        ("refcoco/000000000001@ref-3", Reason.MALFORMED_RECORD),
        ("refcoco/000000000001@sentence-41", Reason.NULL_CAPTION),
    ]


def test_refs_that_join_no_picture_are_counted(root: Path, read_all: Any) -> None:
    endless: list[Any] = []
    endless.append(endless)
    refs = [
        ref(1, 1, 1, "dog"), ref(2, 77, 1, "dog"), ref(3, 77, 1, "cat"), ref(4, "one", 1, "cat"),
        ref(5, 1, 1, "cat", split=None), endless, ref(6, 1, endless, "cat"), ref(7, 1, 1, endless),
    ]  # fmt: skip
    write(root, [image(1), image(1)], [thing(1, 1)], refs)
    images, rejections = read_all(open_refcoco(root))
    assert [expression.text for expression in images["000000000001"].expressions] == ["dog"]
    assert rejections == [
        ("refcoco/000000000001@ref-6", Reason.MALFORMED_RECORD),
        ("refcoco/000000000001@sentence-70", Reason.NULL_CAPTION),
        ("refcoco/000000000001", Reason.DUPLICATE_ID),
        ("refcoco/000000000077@ref-2", Reason.MALFORMED_RECORD),
        ("refcoco/000000000077@ref-3", Reason.MALFORMED_RECORD),
        ("refcoco/~refs@ref-4", Reason.MALFORMED_RECORD),
        ("refcoco/~refs@ref-5", Reason.MALFORMED_RECORD),
        ("refcoco/~refs@ref-2", Reason.MALFORMED_RECORD),
    ]


def test_ids_are_numbers_in_any_form(root: Path, read_all: Any) -> None:
    refs = [ref(1, "1", 1.0, "dog"), ref(2, 1.0, "2", "far dog"), ref(3, 2, 3, "third dog")]
    far = [[40, 10, 60, 10, 60, 30]]
    things: list[Any] = [thing(1, 1), {**thing(1, 2, far), "id": "000002"}, {**thing(2, 3), "image_id": "2"}]
    write(root, [image(1), {**image(2), "id": "000000000002"}], things, refs)
    images, rejections = read_all(open_refcoco(root))
    assert rejections == []
    found = {key: [(one.text, one.targets) for one in each.expressions] for key, each in images.items()}
    assert found == {
        "000000000001": [("dog", (0,)), ("far dog", (1,))],
        "000000000002": [("third dog", (0,))],
    }


def test_an_id_of_two_annotations_means_neither_unless_they_are_the_same(root: Path, read_all: Any) -> None:
    """The last one would be framed otherwise, whatever was said: "the dog" around the skis."""
    far = [[40, 10, 60, 10, 60, 30]]
    things = [thing(1, 1), thing(1, 1, far), thing(2, 2), thing(2, 2), thing(3, 3), thing(3, 3, [])]
    write(root, [image(i) for i in (1, 2, 3)], things, [ref(i, i, i, "the dog") for i in (1, 2, 3)])
    images, rejections = read_all(open_refcoco(root))
    assert {key: (len(each.objects), len(each.expressions)) for key, each in images.items()} == {
        "000000000001": (2, 0),
        "000000000002": (1, 1),
        "000000000003": (1, 0),
    }
    assert [each.partial_nouns for each in images.values()] == [(), (), ("dog",)]
    assert rejections == [
        ("refcoco/000000000001@ref-1", Reason.MALFORMED_RECORD),
        ("refcoco/000000000002@2", Reason.DUPLICATE_ID),
        ("refcoco/000000000003@3", Reason.DEGENERATE_POLYGON),
        ("refcoco/000000000003@ref-3", Reason.MALFORMED_RECORD),
    ]


def test_a_list_that_is_named_many_times_is_refused(root: Path) -> None:
    shared = [{"sent": "dog"}] * 3000
    write(root, [image(1)], [thing(1, 1)], [{**ref(1, 1, 1), "sentences": shared} for _ in range(3000)])
    with pytest.raises(ValueError, match=r"refs\(unc\)\.p: its \d+ bytes unfold to more than 8 times as many words"):
        open_refcoco(root)


def test_every_bad_picture_is_counted_by_its_reason(root: Path, read_all: Any, spoil: Any) -> None:
    changes = dict(list(spoil.items())[:4])
    for name, change in enumerate(changes.values(), start=2):
        path = root / f"{FOLDER}/{name}.jpg"
        data = change(path.read_bytes())
        path.unlink()
        if data is not None:
            path.write_bytes(data)
    numbers = range(1, 7)
    images = [image(i) for i in numbers[:-1]] + [image(6, file_name="../../../../refcoco/instances.json")]
    write(root, images, [thing(i, i) for i in numbers], [ref(i, i, i, "dog") for i in numbers])
    found, rejections = read_all(open_refcoco(root))
    assert list(found) == ["000000000001"]
    expected = [*changes, Reason.UNSAFE_PATH]
    assert rejections == [(f"refcoco/{i:012d}", reason) for i, reason in enumerate(expected, start=2)]


def test_what_is_missing_or_hostile_is_said_at_once(root: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"root .*nowhere is not a folder"):
        open_refcoco(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no file refcocog/refs\(umd\)\.p under"):
        open_refcoco(root, name="refcocog")
    with pytest.raises(ValueError, match="refcocog has no split 'testA': expected 'train' or 'val' or 'test'"):
        open_refcoco(root, "testA", name="refcocog")
    write(root, [image(1)], [thing(1, 1)], [ref(1, 1, 1, "dog")])
    with pytest.raises(FileNotFoundError, match="no pictures are listed"):
        open_refcoco(root, "val")
    for content, words in (({"not": "a list"}, "expected a list of refs, found dict"), ([print], r"names __builtin__")):
        write(root, [image(1)], [], content)
        with pytest.raises(ValueError, match=words):
            open_refcoco(root)


WORLD = World(num_scenes=24, width=80, height=64, seed=3)


@pytest.fixture(scope="module")
def scenes() -> list[tuple[Drawing, list[list[Referral]]]]:
    """Every scene of the synthetic dataset with what can be said of each of its objects."""
    drawings = [draw(WORLD, index) for index in range(WORLD.num_scenes)]
    return [(item, [referrals(item.scene, rank) for rank in range(len(item.scene.objects))]) for item in drawings]


@pytest.fixture(scope="module")
def world_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("refcoco")
    layout.write(root, WORLD)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("name", ["refcoco", "refcoco+", "refcocog"])
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_world_comes_back_with_every_phrase_meaning_its_object(
    name: Any, split: str, world_root: Path, scenes: Any, read_all: Any
) -> None:
    found, rejections = read_all(open_refcoco(world_root, split, name))
    assert rejections == []
    expected = [
        (drawing, said)
        for drawing, said in scenes
        if layout.split_of(name, drawing) in (split, f"{split}A", f"{split}B")
        # Twins alone in a scene cannot be told apart without saying where they are.
        and any(layout.spoken(name, of_object) for of_object in said)
    ]
    assert [int(key) - 1 for key in found] == [drawing.index for drawing, _ in expected]
    for image, (drawing, said) in zip(found.values(), expected, strict=True):
        assert image.partial_nouns == ()
        ranks = [rank for rank, mask in enumerate(drawing.rendering.masks) if mask.any()]
        for item, rank in zip(image.objects, ranks, strict=True):
            mask, rendered = rle.decode(item.rle, image.height, image.width), drawing.rendering.masks[rank]
            assert np.minimum(mask, rendered).sum() / np.maximum(mask, rendered).sum() > 0.97
        for expression in image.expressions:
            (target,) = expression.targets
            phrase = f"the {expression.text.removeprefix('the ')}"
            assert phrase in [referral.phrase for referral in said[ranks[target]]]


@pytest.mark.skipif(not REAL.is_dir(), reason="no sample of RefCOCO at hand")
@pytest.mark.parametrize("name", ["refcoco", "refcoco+", "refcocog"])
def test_all_of_the_real_sample_is_read(name: Any, read_all: Any) -> None:
    num_objects = num_expressions = 0
    for split, num_pictures in (("train", 9), ("val", 5), ("test", 7)):
        images, rejections = read_all(open_refcoco(REAL, split, name))
        assert rejections == []
        assert len(images) == num_pictures
        for image in images.values():
            num_objects += len(image.objects)
            num_expressions += len(image.expressions)
            for expression in image.expressions:
                assert image.objects[expression.targets[0]].noun in expression.text
    assert (num_objects, num_expressions) == (78 + 47 + 66, 48)
