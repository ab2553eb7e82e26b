"""Each dataset is read whole in the form in which it is distributed; the forms are those of the real files."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cologen.datagen import rle
from cologen.datagen.datasets import open_dataset
from cologen.datagen.datasets.coco import refcoco_pickle
from cologen.datagen.pair_records import Condition, Pair
from cologen.datagen.records import Image
from tests import distributed

REAL = Path(__file__).resolve().parents[4] / "shared/real"


def read(item: Any, name: str, root: Path, split: str) -> list[Any]:
    dataset = open_dataset(item, name, root, split)
    readings = [dataset.read(index) for index in range(len(dataset))]
    assert [rejection for reading in readings for rejection in reading.rejections] == []
    return [reading.item for reading in readings]


def test_coco(tmp_path: Path):
    distributed.write_coco(tmp_path)
    crowd, animals = read(Image, "cocostuff", tmp_path, "train")
    assert (animals.image_id, animals.captions) == ("000000391895", ("A cat beside a dog.",))
    assert [(each.noun, each.kind, rle.area(each.rle)) for each in animals.objects] == [
        ("cat", "thing", 400), ("dog", "thing", 512),
    ]  # fmt: skip
    assert crowd.captions == ("Many dogs",)
    assert [(each.noun, each.kind, rle.area(each.rle)) for each in crowd.objects] == [("dog", "crowd", 40)]


def test_lvis(tmp_path: Path):
    distributed.write_lvis(tmp_path)
    [image] = read(Image, "lvis", tmp_path, "val")
    assert [each.noun for each in image.objects] == ["bell pepper", "car"]
    assert (image.image_uri, image.absent_nouns) == ("val2017/000000223747.jpg", ("cat",))


def test_refcoco(tmp_path: Path):
    distributed.write_refcoco(tmp_path)
    [image] = read(Image, "refcoco", tmp_path, "train")
    assert [(each.text, each.targets) for each in image.expressions] == [("the left cat", (0,)), ("cat", (0,))]
    assert [each.kind for each in image.objects] == ["thing", "thing", "crowd"]


def test_ade20k(tmp_path: Path):
    distributed.write_ade20k(tmp_path)
    [image] = read(Image, "ade20k", tmp_path, "val")
    assert {(each.noun, rle.area(each.rle)) for each in image.objects} == {("sky", 20 * 64), ("bed", 24 * 32)}


def test_subjects200k(tmp_path: Path):
    distributed.write_subjects200k(tmp_path)
    pairs = read(Pair, "subjects200k", tmp_path, "train")
    assert [pair.source_size for pair in pairs] == [(512, 512)] * 2
    assert {pair.instructions for pair in pairs} == {
        ("On the left it stands in the sun.",), ("On the right it stands in a studio.",),
    }  # fmt: skip


def test_multigen(tmp_path: Path):
    distributed.write_multigen(tmp_path)
    [condition] = read(Condition, "multigen", tmp_path, "train")
    assert (condition.kind, condition.prompt) == ("hed", "A striped cat.")
    assert (condition.width, condition.height, condition.condition_size) == (64, 48, (96, 72))


Form = frozenset[tuple[str, str]]


def forms(records: Any) -> set[Form]:
    return {frozenset((name, type(value).__name__) for name, value in record.items()) for record in records}


FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "coco2017/annotations/instances_train2017.json": (distributed.write_coco, "annotations/instances_train2017.json"),
    "coco2017/annotations/captions_train2017.json": (distributed.write_coco, "annotations/captions_train2017.json"),
    "lvis/lvis_v1_val.json": (distributed.write_lvis, "lvis_v1_val.json"),
    "refcoco_shaped/data/refcoco/instances.json": (distributed.write_refcoco, "refcoco/instances.json"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.skipif(not REAL.is_dir(), reason="no samples of the real files at hand")
def test_the_forms_are_those_of_the_real_files(name: str, tmp_path: Path):
    write, path = FILES[name]
    write(tmp_path)
    ours, real = json.loads((tmp_path / path).read_text()), json.loads((REAL / name).read_text())
    assert set(ours) == set(real)
    for key, value in real.items():
        assert forms(ours[key]) == forms(value) if isinstance(value, list) else type(ours[key]) is type(value)


@pytest.mark.skipif(not REAL.is_dir(), reason="no samples of the real files at hand")
def test_refs_have_the_form_of_the_real_ones():
    real = json.loads((REAL / "refcoco_shaped/real_first_ref_of_refcoco_unc.json").read_text())
    assert forms(distributed.refs()) == forms(real)
    assert forms(distributed.refs()[0]["sentences"]) == forms(real[0]["sentences"])


def test_a_pickle_of_python_2_holds_byte_strings_and_long_integers(tmp_path: Path):
    data = distributed.python2_pickle(distributed.refs())
    assert pickle.loads(data, encoding="latin1") == distributed.refs()
    assert b"S'sent_ids'" in data and b"L1719310L" in data
    (tmp_path / "refs.p").write_bytes(data)
    assert refcoco_pickle.load(tmp_path / "refs.p") == distributed.refs()
