from __future__ import annotations

import gzip
import json
import tarfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cologen.datagen.world.formats import journeydb
from cologen.datagen.world.formats.drawing import Drawing, World

pytestmark = pytest.mark.slow

Hashes = Callable[[Path], dict[str, str]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, world: World) -> Path:
    folder = tmp_path_factory.mktemp("journeydb")
    journeydb.write(folder, world)
    return folder


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_name_the_pictures_of_the_scenes_in_order(root: Path, drawings: list[Drawing]) -> None:
    files = {"train": "train/train_anno_realease_repath.jsonl", "val": "valid/valid_anno_repath.jsonl"}
    for split, file in files.items():
        mine = [drawing for drawing in drawings if drawing.split == split]
        rows = _rows(root / "data" / file)
        assert len(rows) == len(mine) > 0
        for row, drawing in zip(rows, mine, strict=True):
            dot, shard, name = row["img_path"].split("/")
            assert (dot, shard) == (".", f"{drawing.index // journeydb.SCENES_PER_SHARD:03d}")
            assert name == f"{uuid.UUID(name.removesuffix('.jpg'))}.jpg"
            with Image.open((root / "data" / file).parent / "imgs" / row["img_path"]) as image:
                difference = np.abs(np.asarray(image).astype(int) - drawing.rendering.picture)
            assert difference.mean() < 6


def test_rows_have_the_fields_of_the_real_ones(root: Path) -> None:
    rows = _rows(root / "data/train/train_anno_realease_repath.jsonl")
    for row in rows:
        assert list(row) == ["img_path", "prompt", "Task1", "Task2", "Task3"]
        assert list(row["Task1"]) == ["Style", "Content", "Atmosphere", "Others"]
        assert all(isinstance(word, str) for words in row["Task1"].values() for word in words)
        assert set(row["Task3"]) == {f"{kind} Relevant Questions and Answers" for kind in ("Style", "Content")}
        assert row["prompt"]
    assert len({row["img_path"] for row in rows}) == len(rows)


def test_a_few_rows_have_no_caption_in_each_of_three_ways(tmp_path: Path) -> None:
    journeydb.write(tmp_path, World(num_scenes=300, width=32, height=32, seed=2))
    tasks = [row["Task2"] for row in _rows(tmp_path / "data/train/train_anno_realease_repath.jsonl")]
    missing = [task for task in tasks if not (task and task.get("Caption"))]
    assert 0.01 < len(missing) / len(tasks) < 0.12
    assert all(form in missing for form in (None, {}, {"Caption": None}))


def test_archives_unpack_to_the_unpacked_form(root: Path, tmp_path: Path, world: World, hashes: Hashes) -> None:
    packed, unpacked = tmp_path / "packed", tmp_path / "unpacked"
    journeydb.write_archives(packed, world)
    assert sorted(hashes(packed)) == [
        "data/train/imgs/000.tgz",
        "data/train/imgs/001.tgz",
        "data/train/train_anno_realease_repath.jsonl.tgz",
        "data/valid/imgs/000.tgz",
        "data/valid/valid_anno_repath.jsonl.tgz",
    ]
    for path in packed.rglob("*.tgz"):
        with tarfile.open(path) as tar:
            tar.extractall(unpacked / path.parent.relative_to(packed), filter="data")
    assert hashes(unpacked) == hashes(root)


def test_archives_carry_no_time_and_no_owner(tmp_path: Path, hashes: Hashes) -> None:
    for name in ("a", "b"):
        journeydb.write_archives(tmp_path / name, World(num_scenes=3, width=32, height=32, seed=2))
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    packed = tmp_path / "a/data/train/imgs/000.tgz"
    with tarfile.open(packed) as tar:
        members = tar.getmembers()
    assert {(member.mtime, member.uid, member.uname) for member in members} == {(0, 0, "")}
    assert [member.isdir() for member in members] == [True, False, False]
    assert gzip.decompress(packed.read_bytes()) and packed.read_bytes()[4:8] == b"\0\0\0\0"
