from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cologen.datagen.world.formats import refcoco
from cologen.datagen.world.formats.drawing import Drawing, World
from cologen.datagen.world.referring import EXTREMES, referring_phrases
from tests import distributed

WHERE = {"left", "right", "top", "bottom", "upper", "lower", "middle", "center", "corner", "above", "below", "higher"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, world: World) -> Path:
    folder = tmp_path_factory.mktemp("refcoco")
    refcoco.write(folder, world)
    return folder


def _refs(root: Path, name: Any) -> list[dict[str, Any]]:
    return pickle.loads((root / name / refcoco.REFS[name]).read_bytes())


def _sentences(root: Path, name: Any) -> list[str]:
    return [sentence["sent"] for ref in _refs(root, name) for sentence in ref["sentences"]]


@pytest.mark.slow
@pytest.mark.parametrize("name", refcoco.REFS)
def test_every_ref_means_its_annotation_of_its_picture(name: Any, root: Path, drawings: list[Drawing]) -> None:
    instances = json.loads((root / name / "instances.json").read_text())
    annotations = {annotation["id"]: annotation for annotation in instances["annotations"]}
    images = {image["id"]: image for image in instances["images"]}
    assert len(annotations) == len(instances["annotations"])
    refs = _refs(root, name)
    for ref in refs:
        annotation, drawing = annotations[ref["ann_id"]], drawings[ref["image_id"] - 1]
        assert (annotation["image_id"], annotation["category_id"]) == (ref["image_id"], ref["category_id"])
        assert ref["split"] == refcoco.split_of(name, drawing)
        assert ref["file_name"] != images[ref["image_id"]]["file_name"]
        assert [sentence["sent_id"] for sentence in ref["sentences"]] == ref["sent_ids"]
        phrases = referring_phrases(drawing.scene, ref["ann_id"] % 100)
        for sentence in ref["sentences"]:
            assert f"the {sentence['sent'].removeprefix('the ')}" in phrases
            assert sentence["tokens"] == sentence["sent"].split() == sentence["raw"].lower().split()
    for key in ("ref_id", "sent_ids"):
        ids = Counter(str(ref[key]) for ref in refs)
        assert max(ids.values()) == 1
    for image in instances["images"]:
        with Image.open(root / refcoco.IMAGES / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"])


def test_refcoco_plus_never_says_where_and_refcocog_speaks_at_length(root: Path) -> None:
    places = WHERE | set(EXTREMES) - {"largest", "smallest"}
    assert not any(set(sentence.split()) & places for sentence in _sentences(root, "refcoco+"))
    assert any(set(sentence.split()) & places for sentence in _sentences(root, "refcoco"))
    lengths = {
        name: sum(len(sentence.split()) for sentence in _sentences(root, name)) / len(_sentences(root, name))
        for name in refcoco.REFS
    }
    assert lengths["refcoco+"] < lengths["refcoco"] < lengths["refcocog"]


def test_held_out_scenes_take_turns(root: Path) -> None:
    assert {ref["split"] for ref in _refs(root, "refcoco")} == {"train", "val", "testA", "testB"}
    assert {ref["split"] for ref in _refs(root, "refcocog")} == {"train", "val", "test"}


@pytest.mark.slow
def test_any_number_of_workers_writes_the_same_bytes(tmp_path: Path, hashes: Callable[[Path], dict[str, str]]) -> None:
    for workers in (1, 2):
        refcoco.write(tmp_path / str(workers), World(num_scenes=12, width=48, height=32, seed=4), workers=workers)
    assert hashes(tmp_path / "1") == hashes(tmp_path / "2")


def test_records_have_the_fields_and_types_of_the_distributed_ones(root: Path, tmp_path: Path) -> None:
    def forms(records: list[dict[str, Any]]) -> set[tuple[tuple[str, type], ...]]:
        return {tuple(sorted((name, type(value)) for name, value in record.items())) for record in records}

    distributed.write_refcoco(tmp_path)
    real = distributed.refs()
    ours = _refs(root, "refcoco")
    assert forms(ours) == forms(real)
    assert forms(ours[0]["sentences"]) == forms(real[0]["sentences"])
    theirs = json.loads((tmp_path / "refcoco/instances.json").read_text())
    mine = json.loads((root / "refcoco/instances.json").read_text())
    assert set(mine) == set(theirs)
    for name in ("images", "categories", "licenses"):
        assert forms(mine[name]) == forms(theirs[name])
    things = [annotation for annotation in theirs["annotations"] if not annotation["iscrowd"]]
    assert {name for name, _ in next(iter(forms(mine["annotations"])))} == set(things[0])
