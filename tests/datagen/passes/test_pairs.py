"""Rows of pairs hold what their pictures need; what is rejected is counted with its reason."""

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest

from cologen.datagen import images
from cologen.datagen.manifest import Manifest, commit_part, iterate_rows, save_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.manifest.schemas import MIX_COLUMNS, SCHEMAS
from cologen.datagen.pair_records import Pair
from cologen.datagen.pairs.filters import PairPolicy
from cologen.datagen.passes.pairs import UNNAMED, PairPass, PairRecipe, PairTask
from cologen.datagen.passes.reading import Reader
from cologen.datagen.records import RejectedError
from cologen.datagen.review.report import write_report
from cologen.datagen.review.verify import verify
from cologen.datagen.samples import render
from cologen.datagen.world.formats import World, ensure

pytestmark = pytest.mark.slow

SIDE = 96
SCORES = PairPolicy(num_scores=3, min_score=5.0)
_TASKS: dict[str, PairTask] = {
    "subjects200k": "customized", "omniedit": "editing", "magicbrush": "editing", "triplets": "editing"
}  # fmt: skip
Columns = dict[str, list[Any]]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLOGEN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def reader_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Reader[Pair]]:
    top = tmp_path_factory.mktemp("world")

    def opened(source: str) -> Reader[Pair]:
        ensure(source, top / source, World(num_scenes=24, width=SIDE, height=SIDE, seed=4))
        return Reader.of(Pair, source, top / source, "train", 8, None)

    return opened


def pass_over(reader: Reader[Pair], out: Path, policy: PairPolicy | None = None) -> PairPass:
    task = _TASKS[reader.recipe.name]
    chosen = policy or (SCORES if task == "customized" else PairPolicy())
    recipe = PairRecipe(task=task, source=reader.recipe, policy=chosen)
    return PairPass(folder=Folder.open(out), recipe=recipe, reader=reader)


def build(pass_: PairPass, change: Callable[[Columns], None] = lambda _: None) -> Manifest:
    """The pass run without the engine; ``change`` alters the columns of the first part."""
    pass_.folder.create()
    work, reports = pass_.open(), []
    for index in range(pass_.reader.recipe.num_parts):
        content = work(pass_.part(index))
        if index == 0:
            change(content.columns)
        reports.append(commit_part(pass_.folder, index, content))
    manifest = pass_.manifest().finished(reports)
    save_manifest(pass_.folder, manifest)
    return manifest


def problems(folder: Folder, root: Path) -> list[str]:
    return [finding.problem for found in verify(folder, root, workers=1) for finding in found]


@pytest.mark.parametrize("source", _TASKS)
def test_every_source_gives_a_manifest_that_holds(
    source: str, reader_of: Callable[[str], Reader[Pair]], tmp_path: Path
) -> None:
    reader = reader_of(source)
    pass_ = pass_over(reader, tmp_path / "out")
    manifest = build(pass_)
    assert problems(pass_.folder, reader.root) == []
    assert manifest.rows + sum(manifest.rejected.values()) == reader.recipe.num_images
    pairs = {f"{source}/{pair.pair_id}#0": pair for pair in map(partial(_pair, reader), range(len(reader.open())))}
    rows = list(iterate_rows(pass_.folder, manifest))
    for row in rows:
        sample, pair = render(row, reader.root), pairs[row["sample_id"]]
        assert sample.source.shape == sample.target.shape == (SIDE, SIDE, 3)
        assert (sample.source != sample.target).any()
        assert sample.prompt in pair.instructions
        assert row.get("edit_type") == (None if source == "subjects200k" else pair.edit_type or UNNAMED)
        assert tuple((one["name"], one["value"]) for one in row["scores"]) == pair.scores
    column = MIX_COLUMNS[manifest.task]
    assert column
    assert manifest.mix.achieved == Counter(row[column] for row in rows)
    again = build(pass_over(reader, tmp_path / "again"))
    assert [part.sha256 for part in again.parts] == [part.sha256 for part in manifest.parts]


def _pair(reader: Reader[Pair], index: int) -> Any:
    return reader.open().read(index).item


def test_subjects_go_both_ways_and_need_their_scores(reader_of: Callable[[str], Reader[Pair]], tmp_path: Path) -> None:
    reader = reader_of("subjects200k")
    manifest = build(pass_over(reader, tmp_path / "out"))
    assert manifest.mix.achieved["forth"] == manifest.mix.achieved["back"] > 0
    assert set(manifest.rejected) <= {"low_score", "unjudged"}
    rows = {row["sample_id"]: row for row in iterate_rows(Folder.open(tmp_path / "out"), manifest)}
    for name, row in rows.items():
        other = rows[name.replace("-forth", "-x").replace("-back", "-forth").replace("-x", "-back")]
        assert (row["source_hash"], row["target_hash"]) == (other["target_hash"], other["source_hash"])
        assert f"-{row['direction']}#" in name
        np.testing.assert_array_equal(render(row, reader.root).source, render(other, reader.root).target)
    everything = build(pass_over(reader, tmp_path / "all", PairPolicy()))
    assert everything.rows == reader.recipe.num_images


def _triplets(root: Path) -> Reader[Pair]:
    """Seven lines: two good pairs, and one line for each thing that is turned away."""
    draw = np.random.default_rng(0)
    root.mkdir()
    for name, side in (("a", 96), ("b", 96), ("c", 96), ("small", 40)):
        coarse = draw.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        smooth = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(root / f"{name}.png"), smooth)
        cv2.imwrite(str(root / f"{name}-again.jpg"), smooth, [cv2.IMWRITE_JPEG_QUALITY, 90])
    (root / "broken.png").write_bytes((root / "a.png").read_bytes()[:200])
    told = [
        ("a.png", "b.png", "Change it."),
        ("a.png", "c.png", "Change it another way."),
        ("b.png", "b-again.jpg", "Nothing."),
        ("small.png", "a.png", "Enlarge it."),
        ("a.png", "broken.png", "Break it."),
        ("a.png", "gone.png", "Lose it."),
        ("b.png", "c.png", " "),
    ]
    lines = [json.dumps({"source": one, "target": two, "instruction": words}) for one, two, words in told]
    (root / "train.jsonl").write_text("\n".join(lines) + "\n")
    return Reader.of(Pair, "triplets", root, "train", 100, None)


def test_each_bad_pair_is_rejected_for_its_own_reason(tmp_path: Path) -> None:
    reader = _triplets(tmp_path / "data")
    pass_ = pass_over(reader, tmp_path / "out")
    manifest = build(pass_)
    assert [row["instruction"] for row in iterate_rows(pass_.folder, manifest)] == [
        "Change it.", "Change it another way."
    ]  # fmt: skip
    assert manifest.mix.achieved == {UNNAMED: 2}
    assert manifest.rejected == {
        "identical_pair": 1, "too_small": 1, "truncated_image": 1, "missing_image": 1, "empty_instruction": 1
    }  # fmt: skip
    write_report(pass_.folder, manifest, reader.root)
    assert f"<b>{UNNAMED}</b>" in pass_.folder.read("report.html").decode()


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("caption", "Other words.", "not its instruction"),
        ("image_uri", "elsewhere.png", "not its target"),
        ("target_box", [8.0, 8.0, 40.0, 40.0], "target's box"),
        ("source_box", [9.0, 8.0, 8.0, 40.0], "is empty"),
        ("source_box", [8.0, 8.0, 9000.0, 104.0], "leaves an image"),
        ("source_uri", "gone.png", "source cannot be used"),
        ("scores", [{"name": "imageQuality", "value": 4.0}] * 3, "scores do not pass"),
    ],
)
def test_a_wrong_row_is_named(
    column: str, value: Any, said: str, reader_of: Callable[[str], Reader[Pair]], tmp_path: Path
) -> None:
    reader = reader_of("subjects200k")

    def change(columns: Columns) -> None:
        columns[column][0] = value

    pass_ = pass_over(reader, tmp_path / "out")
    build(pass_, change)
    assert any(said in problem for problem in problems(pass_.folder, reader.root))


def test_a_row_whose_box_or_size_does_not_fit_is_not_rendered(
    reader_of: Callable[[str], Reader[Pair]], tmp_path: Path
) -> None:
    reader = reader_of("subjects200k")
    pass_ = pass_over(reader, tmp_path / "out")
    row = next(iterate_rows(pass_.folder, build(pass_)))
    for wrong in ({"source_box": [0.0, 0.0, 9000.0, 10.0]}, {"width": SIDE - 1}):
        with pytest.raises(RejectedError):
            render(row | wrong, reader.root)
    whole = images.decode(images.read_bytes(reader.root, row["target_uri"]))
    left, top, right, bottom = map(int, row["target_box"])
    np.testing.assert_array_equal(render(row, reader.root).target, whole[top:bottom, left:right])


def test_a_dataset_that_is_not_of_pairs_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no dataset of pairs 'cocostuff': expected one of subjects200k, omniedit"):
        Reader.of(Pair, "cocostuff", tmp_path, "train", 8, None)


def test_the_tasks_of_pairs_are_those_whose_rows_name_two_pictures() -> None:
    assert {task for task, schema in SCHEMAS.items() if "target_uri" in schema.names} == set(get_args(PairTask))
