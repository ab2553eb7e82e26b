"""Grounding from a dataset on disk to pixels: the same parts on any workers, marks exactly where the rows say."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from cologen.datagen import rle
from cologen.datagen.build import Cluster, connected
from cologen.datagen.manifest import iterate_rows, load_manifest
from cologen.datagen.samples import render
from cologen.datagen.storage import Folder
from cologen.datagen.world.layouts import ensure
from pipelines import build_grounding, verify

pytestmark = [
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
        ensure(layout, root / layout, num_scenes=24, width=96, height=96, seed=6)
    return root


def _build(source: str, root: Path, out: Path, *more: str) -> list[str]:
    arguments = ["--src", source, "--root", str(root), "--out", str(out), "--part-size", "4", "--variants", "2", *more]
    assert build_grounding.main(arguments) == 0
    assert verify.main([str(out)]) == 0
    return [part.sha256 for part in load_manifest(Folder.open(out)).parts]


def test_every_source_builds_the_same_parts_on_one_worker_and_on_two(roots: Path, tmp_path: Path) -> None:
    hashes: list[list[list[str]]] = []
    for workers in (1, 2):
        with connected(Cluster(num_cpus=workers)):
            hashes.append(
                [_build(source, roots / layout, tmp_path / f"{source}-{workers}") for source, layout in LAYOUTS.items()]
            )
    assert hashes[0] == hashes[1]


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
    ensure("refcoco", root, num_scenes=12, width=64, height=64, seed=1)
    [refs] = root.rglob("refcoco/refs(unc).p")
    refs.write_bytes(pickle.dumps([_Hostile()], protocol=2))
    assert build_grounding.main(["--src", "refcoco", "--root", str(root), "--out", str(tmp_path / "out")]) == 1
    assert "system" in capsys.readouterr().err
    assert not (tmp_path / "owned").exists()
