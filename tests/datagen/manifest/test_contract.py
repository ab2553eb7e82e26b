"""A part is the same bytes for the same content, is read back as it was committed, and is not trusted when damaged."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel, ValidationError

from cologen.datagen.manifest.contract import (
    MANIFEST_NAME,
    SCHEMA_VERSION,
    Manifest,
    iterate_rows,
    load_manifest,
    recipe_hash,
    save_manifest,
)
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.part_files import (
    PartContent,
    commit_part,
    committed_part,
    part_file,
    read_part,
    rejected_file,
)
from cologen.datagen.manifest.schemas import MIX_COLUMNS, REJECTED_SCHEMA, SCHEMAS
from cologen.datagen.records import Reason, Rejection

THING = {"noun": "dog", "box": [0.0, 1.0, 2.0, 3.0], "rle": b"04", "score": 0.5, "kind": "thing"}


def row(number: int, kind: str = "object") -> dict[str, Any]:
    bare = kind == "random"
    return {
        "sample_id": f"world/{number}#0",
        "task": "inpaint",
        "source": "world",
        "split": "train",
        "image_uri": f"images/{number}.png",
        "width": 64,
        "height": 48,
        "caption": "a dog — and 一只猫",
        "seed": 2**64 - 1 - number,
        "mask_kind": kind,
        "mask_rle": bytes([48, 255, number]),
        "mask_area": 0.25,
        "object_noun": None if bare else "dog",
        "object_box": None if bare else [0.5, 1.0, 32.0, 48.0],
        "object_rle": None if bare else b"\x00\xff",
        "object_score": None if bare else 1.0,
        "max_object_iou": 0.0,
        "max_object_coverage": 0.5,
    }


def rejection(number: int, reason: Reason = Reason.MISSING_IMAGE) -> Rejection:
    return Rejection(sample_id=f"world/{number}", stage="source", reason=reason, detail=f"no images/{number}.png")


ROWS = [row(2), row(0, "random"), row(10), row(1, "irregular")]
REJECTIONS = [rejection(9), rejection(8, Reason.NO_NOUNS), rejection(7)]
CONTENT = PartContent.of("inpaint", ROWS, REJECTIONS)


class Recipe(BaseModel):
    seed: int = 0
    policy: dict[str, float] = {"random": 0.2}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    opened = Folder.open(tmp_path / "out")
    opened.create()
    return opened


def empty(num_parts: int = 2) -> Manifest:
    mix = {"random": 0.2, "object": 0.4, "irregular": 0.4}
    return Manifest.empty("inpaint", "world", Recipe(), num_parts=num_parts, root=Path("/data"), mix=mix)


def test_a_part_is_read_back_as_it_was_committed(folder: Folder):
    report = commit_part(folder, 3, CONTENT)
    assert committed_part(folder, 3) == report
    rows = read_part(folder, report.file).to_pylist()
    assert rows == sorted(ROWS, key=lambda one: one["sample_id"])
    rejected = read_part(folder, report.rejected_file).to_pylist()
    assert [one["sample_id"] for one in rejected] == ["world/7", "world/8", "world/9"]
    assert rejected[1] == {"sample_id": "world/8", "stage": "source", "reason": "no_nouns", "detail": "no images/8.png"}


def test_a_report_counts_what_its_files_hold(folder: Folder):
    report = commit_part(folder, 3, CONTENT)
    assert (report.index, report.file, report.rejected_file) == (3, "part-00003.parquet", "rejected-00003.parquet")
    assert report.rows == 4
    assert report.rejected == {"missing_image": 2, "no_nouns": 1}
    assert report.mix == {"irregular": 1, "object": 2, "random": 1}
    assert report.sha256 == hashlib.sha256(folder.read(report.file)).hexdigest()
    assert report.rejected_sha256 == hashlib.sha256(folder.read(report.rejected_file)).hexdigest()


def test_the_same_content_gives_the_same_bytes_in_any_order_and_place(folder: Folder):
    report = commit_part(folder, 0, CONTENT)
    elsewhere = folder.sibling("-2")
    elsewhere.create()
    shuffled = PartContent.of("inpaint", ROWS[::-1], REJECTIONS[::-1])
    assert commit_part(elsewhere, 0, shuffled) == report
    for file in (report.file, report.rejected_file):
        assert folder.read(file) == elsewhere.read(file)


@pytest.mark.parametrize(
    "other",
    [
        PartContent.of("inpaint", ROWS[:3], REJECTIONS),
        PartContent.of("inpaint", [*ROWS[:3], ROWS[3] | {"caption": "a cat"}], REJECTIONS),
        PartContent.of("inpaint", ROWS, REJECTIONS[:2]),
    ],
)
def test_other_content_gives_other_bytes(folder: Folder, other: PartContent):
    before, after = commit_part(folder, 0, CONTENT), commit_part(folder, 1, other)
    assert (before.sha256, before.rejected_sha256) != (after.sha256, after.rejected_sha256)


def test_an_empty_part_is_a_part(folder: Folder):
    report = commit_part(folder, 0, PartContent.of("inpaint", [], []))
    assert committed_part(folder, 0) == report
    assert (report.rows, report.rejected, report.mix) == (0, {}, {})
    assert read_part(folder, report.file).schema.equals(SCHEMAS["inpaint"])
    assert read_part(folder, report.rejected_file).schema.equals(REJECTED_SCHEMA)


def test_concepts_hold_their_objects(folder: Folder):
    common = {name: value for name, value in row(0).items() if name in SCHEMAS["concepts"].names}
    rows = [common | {"task": "concepts", "captions": ["a", "b"], "nouns": [], "objects": [THING, THING]}]
    report = commit_part(folder, 0, PartContent.of("concepts", rows, []))
    assert read_part(folder, report.file).to_pylist() == rows
    assert report.mix == {}
    assert read_part(folder, report.file, columns=["objects", "width"]).column_names == ["objects", "width"]


def test_a_null_where_none_may_be_is_not_written(folder: Folder):
    with pytest.raises(pa.ArrowInvalid, match="caption"):
        commit_part(folder, 0, PartContent.of("inpaint", [row(0) | {"caption": None}], []))
    assert folder.names() == []


def test_schemas_begin_alike_and_hold_their_mix_column():
    common = ["sample_id", "task", "source", "split", "image_uri", "width", "height", "caption", "seed"]
    for task, schema in SCHEMAS.items():
        assert schema.names[: len(common)] == common
        assert MIX_COLUMNS[task] is None or MIX_COLUMNS[task] in schema.names


def test_a_part_is_committed_only_by_both_its_files(folder: Folder):
    assert committed_part(folder, 0) is None
    report = commit_part(folder, 0, CONTENT)
    folder.delete(report.rejected_file)
    assert committed_part(folder, 0) is None
    assert commit_part(folder, 0, CONTENT) == report


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    return data[:200] + bytes([data[200] ^ 1]) + data[201:]


def emptied(data: bytes) -> bytes:
    return b""


def another_table(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": [1]}), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("damage", [truncated, flipped, emptied, another_table])
@pytest.mark.parametrize("file_of", [part_file, rejected_file])
def test_a_damaged_file_is_named(folder: Folder, damage: Callable[[bytes], bytes], file_of: Callable[[int], str]):
    commit_part(folder, 0, CONTENT)
    file = file_of(0)
    Path(folder.path, file).write_bytes(damage(folder.read(file)))
    with pytest.raises(ValueError, match=rf"{file} is damaged .*Delete it and its twin"):
        committed_part(folder, 0)


def test_missing_samples_of_a_committed_part_are_damage(folder: Folder):
    commit_part(folder, 0, CONTENT)
    folder.delete(part_file(0))
    with pytest.raises(ValueError, match=rf"{part_file(0)} is damaged"):
        committed_part(folder, 0)


def test_no_flipped_bit_of_the_dead_letters_changes_what_is_read(folder: Folder):
    """Some bits of a Parquet file mean nothing; the others are noticed."""
    report = commit_part(folder, 0, CONTENT)
    rows = read_part(folder, report.rejected_file)
    good, path = folder.read(report.rejected_file), Path(folder.path, report.rejected_file)
    num_noticed = 0
    for place in range(0, len(good), 3):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1 << place % 7]) + good[place + 1 :])
        try:
            found = committed_part(folder, 0)
        except ValueError:
            num_noticed += 1
        else:
            assert found is not None
            assert found.model_copy(update={"rejected_sha256": report.rejected_sha256}) == report
            assert read_part(folder, report.rejected_file).equals(rows)
    assert num_noticed > len(good) / 6


@pytest.mark.parametrize("damage", [truncated, emptied])
def test_reading_a_damaged_or_missing_part_names_it(folder: Folder, damage: Callable[[bytes], bytes]):
    report = commit_part(folder, 0, CONTENT)
    Path(folder.path, report.file).write_bytes(damage(folder.read(report.file)))
    with pytest.raises(ValueError, match=rf"{report.file} is damaged"):
        read_part(folder, report.file)
    folder.delete(report.file)
    with pytest.raises(ValueError, match=rf"{report.file} is damaged"):
        read_part(folder, report.file)


def test_a_finished_manifest_sums_its_parts(folder: Folder):
    first = commit_part(folder, 0, CONTENT)
    second = commit_part(folder, 1, PartContent.of("inpaint", [row(20)], [rejection(21, Reason.EMPTY_FILE)]))
    manifest = empty().finished([second, first])
    assert manifest.complete
    assert manifest.parts == (first, second)
    assert manifest.rows == 5
    assert manifest.rejected == {"empty_file": 1, "missing_image": 2, "no_nouns": 1}
    assert manifest.mix.achieved == {"random": 1, "object": 3, "irregular": 1}
    assert manifest.mix.asked == empty().mix.asked
    assert manifest.finished(manifest.parts) == manifest


def test_rows_come_in_the_order_of_parts_and_ids(folder: Folder):
    reports = [commit_part(folder, index, PartContent.of("inpaint", [row(7 - index), row(3)], [])) for index in (0, 1)]
    rows = iterate_rows(folder, empty().finished(reports))
    assert [one["sample_id"] for one in rows] == ["world/3#0", "world/7#0", "world/3#0", "world/6#0"]


def test_a_manifest_is_loaded_as_it_was_saved(folder: Folder):
    manifest = empty().finished([commit_part(folder, 0, CONTENT)])
    for saved in (empty(), manifest):
        save_manifest(folder, saved)
        assert load_manifest(folder) == saved
    text = folder.read(MANIFEST_NAME).decode()
    assert text.endswith("}\n")
    assert json.loads(text)["schema_version"] == SCHEMA_VERSION


def test_a_new_manifest_holds_the_resolved_recipe():
    manifest = empty()
    assert (manifest.rows, manifest.parts, manifest.complete) == (0, (), False)
    assert manifest.recipe == {"seed": 0, "policy": {"random": 0.2}}
    assert manifest.recipe_hash == recipe_hash(manifest.recipe)
    assert manifest.root == "/data"


def test_a_recipes_hash_is_of_its_values_not_of_their_order():
    assert recipe_hash({"a": 1, "b": {"c": 2, "d": 3}}) == recipe_hash({"b": {"d": 3, "c": 2}, "a": 1})
    assert recipe_hash({"a": 1}) != recipe_hash({"a": 2})
    assert recipe_hash({"a": 1}) != recipe_hash({"a": "1"})


def test_an_absent_manifest_is_said_to_be(folder: Folder):
    with pytest.raises(FileNotFoundError, match=f"no {MANIFEST_NAME} in {folder}: expected the --out folder"):
        load_manifest(folder)


GOOD = empty().model_dump(mode="json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps(GOOD | {"schema_version": 2}), "has schema version 2, this code reads 1"),
        (json.dumps({"rows": 3}), "has schema version None, this code reads 1"),
        (json.dumps(GOOD | {"shuffled": True}), r"is not a manifest: [\s\S]*shuffled"),
        (
            json.dumps({name: value for name, value in GOOD.items() if name != "task"}),
            r"is not a manifest: [\s\S]*task",
        ),
        (json.dumps(GOOD | {"rows": "many"}), r"is not a manifest: [\s\S]*rows"),
        (json.dumps(GOOD)[:-5], "is not a manifest"),
        ("", "is not a manifest"),
        ("[]", "is not a manifest"),
        ("null", "is not a manifest"),
    ],
)
def test_what_is_no_manifest_is_refused(folder: Folder, text: str, words: str):
    folder.write(MANIFEST_NAME, text.encode())
    with pytest.raises(ValueError, match=f"{MANIFEST_NAME} {words}"):
        load_manifest(folder)


def test_bytes_that_are_no_text_are_no_manifest(folder: Folder):
    folder.write(MANIFEST_NAME, b"\xff\xfe{\x80")
    with pytest.raises(ValueError, match="is not a manifest"):
        load_manifest(folder)


def test_manifests_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        empty().complete = True
