"""Rows read one by one are the rows that were built; what cannot be trained on is refused with what to do next."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from cologen.datagen.manifest import (
    Manifest,
    PartContent,
    commit_part,
    iterate_rows,
    load_manifest,
    part_file,
    save_manifest,
)
from cologen.datagen.manifest.folder import Folder
from cologen.trainer.data import manifests
from cologen.trainer.data.manifests import ManifestRows, open_manifest, open_rows, read_columns

SIZES = (7, 0, 12, 5)


class Recipe(BaseModel):
    seed: int = 0


def row(number: int) -> dict[str, Any]:
    bare = number % 3 == 0
    return {
        "sample_id": f"world/{number:03d}#0",
        "task": "inpaint",
        "source": "world",
        "split": "train",
        "image_uri": f"images/{number}.png",
        "width": 64,
        "height": 48,
        "caption": "a dog — and 一只猫",
        "seed": 2**64 - 1 - number,
        "mask_kind": "random" if bare else "object",
        "mask_rle": bytes([48, 255, number]),
        "mask_area": 0.25,
        "object_noun": None if bare else "dog",
        "object_box": None if bare else [0.5, 1.0, 32.0, 48.0],
        "object_rle": None if bare else b"\x00\xff",
        "object_score": None if bare else 1.0,
        "max_object_iou": 0.0,
        "max_object_coverage": 0.5,
    }


def build(out: Path, root: Path, sizes: tuple[int, ...] = SIZES) -> Path:
    folder = Folder.open(out)
    folder.create()
    empty = Manifest.empty("inpaint", "world", Recipe(), num_parts=len(sizes), root=root, mix={"object": 1.0})
    reports, first = [], 0
    for index, size in enumerate(sizes):
        content = PartContent.of("inpaint", [row(number) for number in range(first, first + size)], [])
        reports.append(commit_part(folder, index, content))
        first += size
    save_manifest(folder, empty.finished(reports))
    return out


@pytest.fixture(autouse=True)
def in_small_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLOGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(manifests, "_ROWS_PER_BATCH", 8)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    return build(tmp_path / "out", tmp_path / "pictures")


def test_rows_are_those_that_were_built_in_any_order(built: Path):
    opened = open_manifest(built, "inpaint")
    expected = list(iterate_rows(Folder.open(built), load_manifest(Folder.open(built))))
    assert len(opened) == 24
    assert [opened.row(index) for index in range(24)] == expected == [row(number) for number in range(24)]
    assert opened.rows([23, 0, 8, 8]) == [row(23), row(0), row(8), row(8)]
    assert (opened.task, opened.source, opened.root) == ("inpaint", "world", built.parent / "pictures")


def test_it_travels_to_workers_as_a_few_strings(built: Path):
    opened = open_manifest(built, "inpaint")
    opened.row(3)
    packed = pickle.dumps(opened)
    assert len(packed) < 1000
    elsewhere: ManifestRows = pickle.loads(packed)
    assert elsewhere.row(17) == row(17)


def test_rows_are_copied_once(built: Path):
    copied: list[int] = []
    assert open_manifest(built, "inpaint", progress=copied.append) == open_manifest(
        built, "inpaint", progress=copied.append
    )
    assert copied == list(SIZES)


def test_the_fingerprint_is_of_the_rows_not_of_the_place(built: Path, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    fingerprint = open_manifest(built, "inpaint").fingerprint
    assert open_manifest(build(tmp_path / "b", tmp_path / "elsewhere"), "inpaint").fingerprint == fingerprint
    assert open_manifest(build(tmp_path / "c", built, (24,)), "inpaint").fingerprint != fingerprint


def test_a_root_can_be_given(built: Path, tmp_path: Path):
    assert open_manifest(built, ("grounding", "inpaint"), root=tmp_path).root == tmp_path
    with pytest.raises(FileNotFoundError, match=r"are not under .*nowhere: give their root"):
        open_manifest(built, "inpaint", root=tmp_path / "nowhere")


def test_rows_can_be_read_where_the_pictures_are_not(tmp_path: Path):
    moved = build(tmp_path / "moved", tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"are not under .*gone"):
        open_manifest(moved, "inpaint")
    assert len(open_rows(moved, "inpaint")) == sum(SIZES)


def test_a_row_that_is_not_there_is_an_index_error(built: Path):
    for index in (-1, 24):
        with pytest.raises(IndexError, match=f"row {index} of 24"):
            open_manifest(built, "inpaint").row(index)


def rewrite(out: Path, change: Callable[[Manifest], Manifest]) -> None:
    found = load_manifest(Folder.open(out))
    save_manifest(Folder.open(out), change(found))


def test_what_is_missing_is_named(built: Path, tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"no manifest.json in"):
        open_manifest(tmp_path / "nothing", "inpaint")
    (built / part_file(2)).unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks part-00002.parquet: .*--fresh"):
        open_manifest(built, "inpaint")


def test_another_task_is_refused(built: Path):
    with pytest.raises(ValueError, match="holds samples of task inpaint, expected grounding or editing"):
        open_manifest(built, ("grounding", "editing"))


def test_another_schema_version_is_refused(built: Path):
    text = (built / "manifest.json").read_text()
    (built / "manifest.json").write_text(text.replace('"schema_version": 1', '"schema_version": 99'))
    with pytest.raises(ValueError, match="has schema version 99, this code reads 1"):
        open_manifest(built, "inpaint")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"complete": False}, "is incomplete: 4 of 4 parts. Run its build again"),
        ({"num_parts": 5}, "is incomplete: 4 of 5 parts"),
        ({"rows": 25}, r"says 25 rows, its parts hold another number. `python -m pipelines.verify`"),
    ],
)
def test_a_manifest_that_is_not_whole_is_refused(built: Path, change: dict[str, Any], words: str):
    rewrite(built, lambda found: found.model_copy(update=change))
    with pytest.raises(ValueError, match=words):
        open_manifest(built, "inpaint")


def test_a_manifest_without_rows_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="has no samples"):
        open_manifest(build(tmp_path / "empty", tmp_path, (0, 0)), "inpaint")


def test_a_damaged_part_is_found_when_its_rows_are_copied(built: Path):
    path = built / part_file(0)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match=r"part-00000.parquet is damaged.*pipelines.verify"):
        open_manifest(built, "inpaint")
    build(built, built.parent / "pictures")
    assert open_manifest(built, "inpaint").row(0) == row(0)


def test_cached_rows_that_were_damaged_are_copied_again(built: Path):
    """Flipped bits and lost ends: none gives other rows."""
    expected = [row(number) for number in range(24)]
    path = open_manifest(built, "inpaint").file
    whole = path.read_bytes()
    damaged = [whole[:-1], whole[: len(whole) // 2], b""]
    for place in range(0, len(whole), len(whole) // 20):
        damaged.append(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
    for content in damaged:
        path.write_bytes(content)
        opened = open_manifest(built, "inpaint")
        assert opened.rows(range(24)) == expected
        assert opened.file.read_bytes() == whole
    path.unlink()
    assert open_manifest(built, "inpaint").rows(range(24)) == expected


def test_columns_are_those_of_the_rows(built: Path):
    rows = open_manifest(built, "inpaint")
    found = read_columns(rows, ["caption", "sample_id", "width"])
    assert found.column_names == ["caption", "sample_id", "width"]
    each = [rows.row(index) for index in range(len(rows))]
    assert found.to_pylist() == [{name: row[name] for name in found.column_names} for row in each]
