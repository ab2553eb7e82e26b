"""Control from a dataset on disk to pixels: the same parts on any workers and after any stop, maps included."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from cologen.datagen.control.annotators import annotator
from cologen.datagen.engine.build import PartDone, build
from cologen.datagen.engine.cluster import Cluster, connected
from cologen.datagen.engine.jobs import Job
from cologen.datagen.manifest import Manifest, iterate_rows, load_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.samples import render
from cologen.datagen.world.formats import World, ensure
from pipelines import build_control, verify, view

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

LAYOUTS = {
    "multigen": "multigen",
    "multigen_depth": "multigen_depth",
    "ade20k": "ade20k",
    "cocostuff": "captioned_cocostuff",
}


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("control")
    for layout in LAYOUTS.values():
        ensure(layout, root / layout, World(num_scenes=20, width=64, height=64, seed=6))
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options that name networks of random weights, saved under the names of the published ones."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    torch.save(annotator("hed").ControlNetHED_Apache2().state_dict(), folder / "ControlNetHED.pth")
    torch.save(annotator("lineart").Generator(3, 1, 3).state_dict(), folder / "sk_model.pth")
    return ["--precompute", "--hed-weights", str(folder), "--lineart-weights", str(folder / "sk_model.pth")]


def _build(source: str, root: Path, out: Path, *more: str) -> dict[str, str]:
    """The hashes of all files that hold samples, rejections and maps."""
    arguments = ["--src", source, "--root", str(root), "--out", str(out), "--part-size", "10", "--device", "cpu", *more]
    assert build_control.main(arguments) == 0
    assert verify.main([str(out), "--workers", "1"]) == 0
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.glob("*.parquet"))}


def test_every_source_builds_the_same_parts_on_one_worker_and_on_two(
    roots: Path, weights: list[str], tmp_path: Path
) -> None:
    found: list[list[dict[str, str]]] = []
    for workers in (1, 2):
        with connected(Cluster(num_cpus=workers)):
            built = [
                _build(source, roots / layout, tmp_path / f"{source}-{workers}") for source, layout in LAYOUTS.items()
            ]
            out, actors = tmp_path / f"drawn-{workers}", ["--actors", str(workers)]
            found.append([*built, _build("ade20k", roots / "ade20k", out, *weights, *actors)])
    assert found[0] == found[1]
    assert [name for name in found[0][-1] if name.startswith("maps-")] == ["maps-00000.parquet", "maps-00001.parquet"]
    manifest = load_manifest(Folder.open(tmp_path / "drawn-1"))
    rows = list(iterate_rows(Folder.open(tmp_path / "drawn-1"), manifest))
    assert {row["condition"] for row in rows if row["map_hash"]} == {"hed", "lineart"}
    assert not any(row["online"] for row in rows)
    assert all(render(row, roots / "ade20k", Folder.open(tmp_path / "drawn-1")).online is None for row in rows)
    assert view.main([str(tmp_path / "drawn-1"), "--sheet", str(tmp_path / "sheet.png")]) == 0
    assert "precomputed" in (tmp_path / "drawn-1/report.html").read_text()
    assert "extracted online" in (tmp_path / "multigen-1/report.html").read_text()
    assert "(stage 2)" in (tmp_path / "multigen-1/README.md").read_text()


def test_a_stopped_build_is_continued_and_a_fresh_one_leaves_no_maps(
    roots: Path, weights: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected(Cluster(num_cpus=1)):
        reference = _build("ade20k", roots / "ade20k", tmp_path / "whole", *weights)
        with monkeypatch.context() as patched:
            patched.setattr("pipelines.running.build", _stopping_build)
            with pytest.raises(_StoppedError):
                _build("ade20k", roots / "ade20k", tmp_path / "out", *weights)
        assert not load_manifest(Folder.open(tmp_path / "out")).complete
        assert _build("ade20k", roots / "ade20k", tmp_path / "out", *weights) == reference
        plain = _build("ade20k", roots / "ade20k", tmp_path / "out", "--fresh")
    assert not any(name.startswith("maps-") for name in plain)


class _StoppedError(Exception):
    pass


def _stopping_build(jobs: Sequence[Job], cluster: Cluster, *_: object) -> list[Manifest]:
    def stop(_: PartDone) -> None:
        raise _StoppedError

    return build(jobs, cluster, stop)
