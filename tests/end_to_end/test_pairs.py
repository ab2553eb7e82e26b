"""Pairs from a dataset on disk to rows: the same on any workers and after a kill, repetitions found across parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cologen.datagen.engine.cluster import Cluster, connected
from cologen.datagen.manifest import iterate_rows, load_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.world.formats import World, ensure
from pipelines import build_customized, build_editing, verify

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

BUILDERS = {
    "subjects200k": build_customized,
    "omniedit": build_editing,
    "magicbrush": build_editing,
    "triplets": build_editing,
}
REPEATED = 3
Hashes = list[tuple[str, str]]


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world in each layout; the triplets end with some that were told before."""
    root = tmp_path_factory.mktemp("pairs")
    for layout in BUILDERS:
        ensure(layout, root / layout, World(num_scenes=16, width=64, height=64, seed=6))
    listing = root / "triplets/train.jsonl"
    lines = listing.read_text().splitlines()
    told = [json.loads(line) | {"instruction": "And once more."} for line in lines[:REPEATED]]
    listing.write_text("\n".join([*lines, *map(json.dumps, told)]) + "\n")
    return root


@pytest.fixture(scope="module")
def by_one_worker(roots: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Hashes]:
    """The hashes of all sources, made by a cluster of one worker."""
    out = tmp_path_factory.mktemp("one")
    with connected(Cluster(num_cpus=1)):
        return {source: _build(source, roots, out / source) for source in BUILDERS}


@pytest.fixture(scope="module")
def two_workers(by_one_worker: dict[str, Hashes]) -> Iterator[None]:
    """A cluster for all builds of a test, started after that of one worker has ended."""
    assert by_one_worker
    with connected(Cluster(num_cpus=2)):
        yield


def _arguments(source: str, roots: Path, out: Path) -> list[str]:
    return ["--src", source, "--root", str(roots / source), "--out", str(out), "--part-size", "2"]


def _hashes(out: Path) -> Hashes:
    """Of the files of the candidates and of the rows."""
    manifests = [load_manifest(Folder.open(folder)) for folder in (f"{out}-candidates", out)]
    assert all(manifest.complete for manifest in manifests)
    return [(part.sha256, part.rejected_sha256) for manifest in manifests for part in manifest.parts]


def _build(source: str, roots: Path, out: Path, *more: str) -> Hashes:
    assert BUILDERS[source].main([*_arguments(source, roots, out), *more]) == 0
    assert verify.main([str(out), "--workers", "1"]) == 0
    return _hashes(out)


@pytest.mark.usefixtures("two_workers")
@pytest.mark.parametrize("source", BUILDERS)
def test_two_workers_make_what_one_makes(
    source: str, roots: Path, tmp_path: Path, by_one_worker: dict[str, Hashes]
) -> None:
    assert _build(source, roots, tmp_path / "out") == by_one_worker[source]
    assert len(by_one_worker[source]) >= 2 * 6


@pytest.mark.usefixtures("two_workers")
def test_a_build_killed_in_either_half_is_continued(
    roots: Path, tmp_path: Path, by_one_worker: dict[str, Hashes], killed_in: Callable[[Path, list[str]], int]
) -> None:
    out = tmp_path / "out"
    for folder in (Path(f"{out}-candidates"), out):
        committed = killed_in(folder, ["pipelines.build_editing", *_arguments("triplets", roots, out)])
        assert committed < load_manifest(Folder.open(folder)).num_parts
        assert not load_manifest(Folder.open(folder)).complete
    assert _build("triplets", roots, out) == by_one_worker["triplets"]


@pytest.mark.usefixtures("two_workers")
def test_repetitions_are_turned_away_across_parts(
    roots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    _build("triplets", roots, out)
    capsys.readouterr()
    candidates, manifest = (load_manifest(Folder.open(folder)) for folder in (f"{out}-candidates", out))
    assert manifest.rejected == candidates.rejected | {"duplicate_image": REPEATED}
    assert manifest.rows == candidates.rows - REPEATED
    assert "And once more." not in {row["instruction"] for row in iterate_rows(Folder.open(out), manifest)}
    assert (Path(f"{out}-candidates") / "report.html").exists()

    again = _arguments("triplets", roots, out)
    assert build_editing.main([*again, "--min-change", "20"]) == 1
    assert "policy.min_change: 12 there, 20 now" in capsys.readouterr().err
    assert load_manifest(Folder.open(f"{out}-candidates")) == candidates
    assert build_editing.main([*again, "--min-change", "20", "--dry-run"]) == 0
    assert "out-candidates" in capsys.readouterr().out.replace("\n", "")
    assert load_manifest(Folder.open(out)) == manifest
    assert build_editing.main([*again, "--min-change", "20", "--fresh"]) == 0
    assert load_manifest(Folder.open(out)).recipe["policy"]["min_change"] == 20
