"""Whatever is changed in a manifest's files or rows, verify says so, and says nothing of a sound one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cologen.datagen import rle
from cologen.datagen.engine.parts import Part
from cologen.datagen.manifest import Manifest, PartContent, commit_part, load_manifest, recipe_hash, save_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.passes.inpaint import InpaintRecipe, MaskPass
from cologen.datagen.passes.reading import Reader
from cologen.datagen.records import Image, Reason, Rejection
from cologen.datagen.review.verify import Finding, verify
from cologen.datagen.world.formats import World, ensure

PART_SIZE = 6


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader[Image]:
    root = tmp_path_factory.mktemp("world") / "coco"
    ensure("cocostuff", root, World(num_scenes=14, width=64, height=64, seed=2))
    return Reader.of(Image, "cocostuff", root, "train", PART_SIZE, None)


def _pass(reader: Reader[Image], out: Path) -> MaskPass:
    return MaskPass(folder=Folder.open(out), recipe=InpaintRecipe(source=reader.recipe), reader=reader)


def _build(pass_: MaskPass, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Folder:
    """The pass run without the engine; ``change`` alters the columns of the first part before they are committed."""
    pass_.folder.create()
    work, reports = pass_.open(), []
    for index in range(pass_.reader.recipe.num_parts):
        content = work(pass_.part(index))
        if index == 0:
            change(content.columns)
        reports.append(commit_part(pass_.folder, index, content))
    save_manifest(pass_.folder, pass_.manifest().finished(reports))
    return pass_.folder


def _problems(folder: Folder, root: Path | None = None) -> list[Finding]:
    return [finding for found in verify(folder, root, workers=1) for finding in found]


@pytest.mark.slow
def test_a_sound_manifest_has_no_problem(reader: Reader[Image], tmp_path: Path) -> None:
    folder = _build(_pass(reader, tmp_path / "out"))
    assert _problems(folder, reader.root) == []
    assert len(list(verify(folder, None, workers=1))) == reader.recipe.num_parts + 2


def _set(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(columns: dict[str, Any]) -> None:
        columns[name][0] = value

    return change


def _of_kind(kind: str, change: Callable[[dict[str, Any], int], None]) -> Callable[[dict[str, Any]], None]:
    return lambda columns: change(columns, columns["mask_kind"].index(kind))


def _shrink(columns: dict[str, Any], row: int) -> None:
    """The mask without a column in its middle: still a mask, and its area in the row agrees with it."""
    height, width = columns["height"][row], columns["width"][row]
    mask = rle.decode(columns["mask_rle"][row], height, width)
    mask[:, int(np.flatnonzero(mask.any(axis=0)).mean())] = 0
    columns["mask_rle"][row], columns["mask_area"][row] = rle.encode(mask), mask.mean()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("caption", "  "), "caption is blank"),
        (_set("caption", "nan"), "caption is blank"),
        (_set("seed", 7), "seed is not the one of its id"),
        (_set("source", "other"), "does not belong"),
        (_set("sample_id", "elsewhere/1#0"), "does not belong"),
        (_set("mask_rle", b"01"), "does not decode"),
        (_set("mask_area", 0.123), "covers"),
        (_set("width", 63), "does not decode"),
        (_of_kind("object", _shrink), "covers"),
        (_of_kind("irregular", _shrink), "uncovered"),
    ],
)
def test_a_wrong_row_is_named(
    reader: Reader[Image], tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    findings = _problems(_build(_pass(reader, tmp_path / "out"), change))
    assert findings
    assert any(said in finding.problem for finding in findings)
    assert {finding.file for finding in findings} == {"part-00000.parquet"}


def test_a_random_mask_above_the_limit_is_named(reader: Reader[Image], tmp_path: Path) -> None:
    pass_ = _pass(reader, tmp_path / "out")
    folder = _build(pass_)
    manifest = load_manifest(folder)
    recipe = pass_.recipe.model_copy(update={"policy": pass_.recipe.policy.model_copy(update={"max_object_iou": 1e-6})})
    stricter = Manifest.empty(
        "inpaint", "cocostuff", recipe, num_parts=manifest.num_parts, root=reader.root, mix=manifest.mix.asked
    )
    save_manifest(folder, stricter.finished(manifest.parts))
    assert any("a random mask with IoU" in finding.problem for finding in _problems(folder))


def test_a_picture_of_another_size_or_none_is_named(reader: Reader[Image], tmp_path: Path) -> None:
    folder = _build(_pass(reader, tmp_path / "out"))
    assert _problems(folder, tmp_path)
    assert {"missing_image" in finding.problem for finding in _problems(folder, tmp_path)} == {True}


def test_ids_that_repeat_over_parts_are_counted(reader: Reader[Image], tmp_path: Path) -> None:
    pass_ = _pass(reader, tmp_path / "out")
    pass_.folder.create()
    content = pass_.open()(Part(0, 0, 4))
    reports = [commit_part(pass_.folder, index, content) for index in range(reader.recipe.num_parts)]
    save_manifest(pass_.folder, pass_.manifest().finished(reports))
    assert any("4 sample ids occur more than once" in finding.problem for finding in _problems(pass_.folder))


def test_damage_to_any_file_is_named(reader: Reader[Image], tmp_path: Path) -> None:
    folder = _build(_pass(reader, tmp_path / "out"))
    for name in ("part-00001.parquet", "rejected-00000.parquet"):
        path = Path(folder.path, name)
        before = path.read_bytes()
        path.write_bytes(before[:50] + b"x" + before[51:])
        assert [finding.file for finding in _problems(folder)] == [name]
        path.unlink()
        assert [finding.problem for finding in _problems(folder)] == ["is missing"]
        path.write_bytes(before)
    assert _problems(folder) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("rows", 1, "totals"),
        ("recipe_hash", "0" * 64, "hash"),
        ("complete", False, "not complete"),
        ("parts", [], "0 to"),
    ],
)
def test_a_wrong_manifest_is_named(reader: Reader[Image], tmp_path: Path, name: str, value: Any, said: str) -> None:
    folder = _build(_pass(reader, tmp_path / "out"))
    content = json.loads(folder.read("manifest.json")) | {name: value}
    folder.write("manifest.json", json.dumps(content).encode())
    assert any(said in finding.problem for finding in _problems(folder) if finding.file == "manifest.json")


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, (*path, name))
    else:
        yield path, value


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return "another" if value is None else f"{value}x"


def _named(folder: Folder) -> bool:
    """Whether something is found, or the manifest is refused."""
    try:
        return bool(_problems(folder))
    except ValueError:
        return True


def _with(content: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(content)
    inner: Any = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return changed


@pytest.mark.slow
def test_every_value_of_the_manifest_is_checked(reader: Reader[Image], tmp_path: Path) -> None:
    """Also where the checksum was made anew, for all but ``root``, which nothing else states."""
    folder = _build(_pass(reader, tmp_path / "out"))
    content = json.loads(folder.read("manifest.json"))
    leaves = list(_leaves(content))
    assert len(leaves) > 50
    for path, value in leaves:
        changed = _with(content, path, _other(value))
        folder.write("manifest.json", json.dumps(changed).encode())
        with pytest.raises(ValueError, match="manifest"):
            load_manifest(folder)
        assert _named(folder), path
        if path[0] not in ("root", "checksum"):
            without = {name: value for name, value in changed.items() if name != "checksum"}
            folder.write("manifest.json", json.dumps(without | {"checksum": recipe_hash(without)}).encode())
            assert _named(folder), path


def test_a_field_of_the_recipe_that_is_missing_is_named(reader: Reader[Image], tmp_path: Path) -> None:
    folder = _build(_pass(reader, tmp_path / "out"))
    content = json.loads(folder.read("manifest.json"))
    del content["recipe"]["policy"], content["checksum"]
    content |= {"recipe_hash": recipe_hash(content["recipe"])}
    folder.write("manifest.json", json.dumps(content | {"checksum": recipe_hash(content)}).encode())
    assert [finding.problem for finding in _problems(folder)] == [
        "the recipe is not one of inpaint, so rows are not checked: fields are missing"
    ]


def test_a_key_that_occurs_twice_is_named(reader: Reader[Image], tmp_path: Path) -> None:
    folder = _build(_pass(reader, tmp_path / "out"))
    text = folder.read("manifest.json").decode()
    folder.write("manifest.json", text.replace('"rows":', '"rows": 3, "rows":', 1).encode())
    assert any("'rows' occurs twice" in finding.problem for finding in _problems(folder))
    with pytest.raises(ValueError, match="occurs twice"):
        load_manifest(folder)


def test_files_that_do_not_belong_are_named(reader: Reader[Image], tmp_path: Path) -> None:
    folder = _build(_pass(reader, tmp_path / "out"))
    extra = ["maps-00000.parquet", "part-00003.parquet", "rejected-00099.parquet"]
    for name in extra:
        folder.write(name, folder.read("part-00000.parquet"))
    folder.write("notes.txt", b"mine")
    assert [(finding.file, finding.problem) for finding in _problems(folder)] == [
        (name, "is no part of the manifest") for name in extra
    ]


def test_a_manifest_of_an_older_version_is_read_and_said_to_lack_its_checksum(
    reader: Reader[Image], tmp_path: Path
) -> None:
    folder = _build(_pass(reader, tmp_path / "out"))
    manifest = load_manifest(folder)
    folder.write("manifest.json", manifest.model_dump_json().encode())
    assert load_manifest(folder) == manifest
    assert [finding.problem for finding in _problems(folder)] == ["it holds no checksum: an older version wrote it"]


@pytest.mark.slow
def test_no_flipped_bit_of_the_manifest_is_taken_as_truth(reader: Reader[Image], tmp_path: Path) -> None:
    folder = _build(_pass(reader, tmp_path / "out"))
    manifest, good = load_manifest(folder), folder.read("manifest.json")
    for place in range(0, len(good), 5):
        flipped = good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :]
        Path(folder.path, "manifest.json").write_bytes(flipped)
        try:
            assert load_manifest(folder) == manifest  # white space
        except ValueError as error:
            assert "manifest.json" in str(error)


def test_values_that_contradict_each_other_are_named(reader: Reader[Image], tmp_path: Path) -> None:
    change = _of_kind("object", lambda columns, row: columns["object_box"].__setitem__(row, None))
    findings = _problems(_build(_pass(reader, tmp_path / "out"), change))
    assert ["holds some columns and lacks others" in finding.problem for finding in findings] == [True]


def test_values_that_no_rule_can_take_are_named(
    reader: Reader[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _build(_pass(reader, tmp_path / "out"))

    def strange(*_: object) -> Iterator[str]:
        raise AttributeError("nobody foresaw this")
        yield

    monkeypatch.setattr("cologen.datagen.review.verify.row_problems", strange)
    findings = _problems(folder)
    assert len(findings) == load_manifest(folder).rows
    assert all("it cannot be checked: AttributeError" in finding.problem for finding in findings)


def test_rejections_have_to_add_up(reader: Reader[Image], tmp_path: Path) -> None:
    pass_ = _pass(reader, tmp_path / "out")
    folder = _build(pass_)
    manifest = load_manifest(folder)
    lost = Rejection(sample_id="cocostuff/x", stage="source", reason=Reason.MISSING_IMAGE, detail="gone")
    report = commit_part(folder, 0, PartContent.of("inpaint", [], [lost]))
    assert report.rejected == {"missing_image": 1}
    assert manifest.parts[0] != report
    assert {finding.file for finding in _problems(folder)} == {"part-00000.parquet", "rejected-00000.parquet"}
