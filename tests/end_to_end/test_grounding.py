"""Grounding from a dataset on disk to pixels: the same parts on any workers, marks exactly where the rows say."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from cologen.datagen import rle
from cologen.datagen.engine.cluster import Cluster, connected
from cologen.datagen.manifest import iterate_rows, load_manifest, read_part
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.samples import render
from cologen.datagen.world.formats import World, ensure
from pipelines import build_grounding, verify

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


LAYOUTS = {"refcoco": "refcoco", "refcoco+": "refcoco", "refcocog": "refcoco", "lvis": "lvis"}


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("grounding")
    for layout in ("refcoco", "lvis"):
        ensure(layout, root / layout, World(num_scenes=24, width=96, height=96, seed=6))
    return root


def _arguments(source: str, root: Path, out: Path) -> list[str]:
    return ["--src", source, "--root", str(root), "--out", str(out), "--part-size", "4", "--variants", "2"]


def _build(source: str, root: Path, out: Path, *more: str) -> list[str]:
    assert build_grounding.main([*_arguments(source, root, out), *more]) == 0
    assert verify.main([str(out), "--workers", "1"]) == 0
    return [part.sha256 for part in load_manifest(Folder.open(out)).parts]


def _build_all(roots: Path, out: Path) -> dict[str, list[str]]:
    return {source: _build(source, roots / layout, out / source) for source, layout in LAYOUTS.items()}


@pytest.fixture(scope="module")
def by_one_worker(roots: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The hashes of all sources, made by a cluster of one worker."""
    with connected(Cluster(num_cpus=1)):
        return _build_all(roots, tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def cluster(by_one_worker: dict[str, list[str]]) -> Iterator[None]:
    """A cluster of two workers for the tests below, started after the other one has ended."""
    assert by_one_worker
    with connected(Cluster(num_cpus=2)):
        yield


@pytest.mark.usefixtures("cluster")
def test_every_source_builds_the_same_parts_on_one_worker_and_on_two(
    roots: Path, tmp_path: Path, by_one_worker: dict[str, list[str]]
) -> None:
    assert _build_all(roots, tmp_path) == by_one_worker


@pytest.mark.usefixtures("cluster")
def test_a_killed_build_is_continued(roots: Path, tmp_path: Path, killed_in: Callable[[Path, list[str]], int]) -> None:
    out, more = tmp_path / "out", ["--part-size", "1"]
    committed = killed_in(out, ["pipelines.build_grounding", *_arguments("lvis", roots / "lvis", out), *more])
    assert committed < load_manifest(Folder.open(out)).num_parts
    assert not load_manifest(Folder.open(out)).complete
    undisturbed = _build("lvis", roots / "lvis", tmp_path / "other", *more)
    assert _build("lvis", roots / "lvis", out, *more) == undisturbed


@pytest.mark.usefixtures("cluster")
def test_a_ref_to_nothing_and_a_box_outside_are_counted_and_the_rest_is_kept(roots: Path, tmp_path: Path) -> None:
    root, out = tmp_path / "refcoco", tmp_path / "out"
    shutil.copytree(roots / "refcoco", root)
    refs_path, listing = root / "refcoco/refs(unc).p", root / "refcoco/instances.json"
    refs, instances = pickle.loads(refs_path.read_bytes()), json.loads(listing.read_text())
    training = {ref["image_id"]: ref for ref in refs if ref["split"] == "train"}
    lost, mute, outside = list(training.values())[:3]
    [annotation] = [one for one in instances["annotations"] if one["id"] == outside["ann_id"]]
    annotation |= {"bbox": [500, 500, 9, 9], "segmentation": [[500, 500, 509, 500, 509, 509]]}
    lost["ann_id"] = 987_654_321
    for sentence in mute["sentences"]:
        sentence["sent"] = " "
    refs_path.write_bytes(pickle.dumps(refs, protocol=2))
    listing.write_text(json.dumps(instances))

    _build("refcoco", root, out)

    folder = Folder.open(out)
    manifest = load_manifest(folder)
    rejected = [row for part in manifest.parts for row in read_part(folder, part.rejected_file).to_pylist()]
    assert {row["sample_id"]: row["reason"] for row in rejected if row["stage"] == "source"} == {
        f"refcoco/{lost['image_id']:012d}@ref-{lost['ref_id']}": "malformed_record",
        f"refcoco/{outside['image_id']:012d}@{outside['ann_id']}": "outside_image",
        f"refcoco/{outside['image_id']:012d}@ref-{outside['ref_id']}": "malformed_record",
    } | {
        f"refcoco/{mute['image_id']:012d}@sentence-{sentence['sent_id']}": "null_caption"
        for sentence in mute["sentences"]
    }
    made = {row["image_uri"] for row in iterate_rows(folder, manifest)}
    for number in training.keys() - {ref["image_id"] for ref in (lost, mute, outside)}:
        assert any(f"{number:012d}" in uri for uri in made)


@pytest.mark.usefixtures("cluster")
def test_marks_are_exactly_where_the_rows_say(roots: Path, tmp_path: Path) -> None:
    shares = ["--inverse", "0.2", "--negative", "0.2"]
    _build("lvis", roots / "lvis", tmp_path / "out", *shares)
    folder = Folder.open(tmp_path / "out")
    rows = list(iterate_rows(folder, load_manifest(folder)))
    assert {row["referring"] for row in rows} == {"box", "mask", "instance"}
    assert any(row["inverse"] for row in rows)
    assert any(row["negative"] for row in rows)
    for row in rows:
        sample = render(row, roots / "lvis")
        changed = (sample.source != sample.target).any(axis=2)
        if row["negative"]:
            assert not changed.any()
            continue
        if row["mask_rle"] is not None:
            inside = rle.decode(row["mask_rle"], row["height"], row["width"]).astype(bool)
            assert not changed[~inside].any()
            continue
        frame = np.zeros_like(changed)
        for left, top, right, bottom in np.array(row["boxes"], dtype=int):
            width = row["line_width"]
            frame[max(top - width, 0) : bottom + width, max(left - width, 0) : right + width] = True
        assert changed.any()
        assert not changed[~frame].any()
        if row["referring"] == "instance":
            [(left, top, right, bottom)] = np.array(row["boxes"], dtype=int)
            assert not changed[top:bottom, left:right].any()


class _Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


def test_a_hostile_pickle_is_refused_by_name(
    roots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "refcoco"
    ensure("refcoco", root, World(num_scenes=12, width=64, height=64, seed=1))
    [refs] = root.rglob("refcoco/refs(unc).p")
    refs.write_bytes(pickle.dumps([_Hostile()], protocol=2))
    assert build_grounding.main(["--src", "refcoco", "--root", str(root), "--out", str(tmp_path / "out")]) == 1
    assert "system" in capsys.readouterr().err
    assert not (tmp_path / "owned").exists()
