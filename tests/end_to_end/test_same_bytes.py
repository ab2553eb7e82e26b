"""The same recipe gives the same parts: with one worker or two, after killed drivers, workers and nodes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cologen.datagen.engine.build import PartDone, build
from cologen.datagen.engine.cluster import Cluster
from cologen.datagen.engine.jobs import Job
from cologen.datagen.manifest import Manifest, load_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.masks.policy import MaskPolicy
from cologen.datagen.passes.inpaint import InpaintRecipe, MaskPass
from cologen.datagen.passes.reading import Reader
from cologen.datagen.records import Image
from tests.processes import ray_processes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

REPOSITORY = Path(__file__).resolve().parents[2]
PART_SIZE, VARIANTS = 2, 40


def _job(world: Path, out: Path) -> Job:
    reader = Reader.of(Image, "cocostuff", world / "cocostuff", "train", PART_SIZE, None)
    recipe = InpaintRecipe(source=reader.recipe, variants=VARIANTS, policy=MaskPolicy())
    return Job(pass_=MaskPass(folder=Folder.open(out), recipe=recipe, reader=reader))


def _hashes(manifest: Manifest) -> list[tuple[str, str]]:
    assert manifest.complete
    return [(part.sha256, part.rejected_sha256) for part in manifest.parts]


@pytest.fixture(scope="module")
def reference(world: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """The hashes of an undisturbed run on one worker."""
    [manifest] = build([_job(world, tmp_path_factory.mktemp("out") / "one")], Cluster(num_cpus=1))
    assert len(manifest.parts) > 20
    return _hashes(manifest)


def test_two_workers_make_what_one_makes(world: Path, tmp_path: Path, reference: list[tuple[str, str]]) -> None:
    [manifest] = build([_job(world, tmp_path / "two")], Cluster(num_cpus=2))
    assert _hashes(manifest) == reference


def _after(num_parts: int, act: Callable[[], None]) -> tuple[Callable[[PartDone], None], list[int]]:
    """A progress callback that acts once, in mid-run, and the list of parts done when it did."""
    done: list[int] = []
    acted: list[int] = []

    def on_part(part: PartDone) -> None:
        done.append(part.report.index)
        if len(done) == num_parts:
            acted.append(len(done))
            act()

    return on_part, acted


def _kill_a_worker() -> None:
    (ray_processes("ray::_run_pass") or ray_processes("ray::IDLE"))[0].kill()


def test_a_killed_worker_changes_nothing(world: Path, tmp_path: Path, reference: list[tuple[str, str]]) -> None:
    on_part, acted = _after(3, _kill_a_worker)
    [manifest] = build([_job(world, tmp_path / "worker")], Cluster(num_cpus=2), on_part)
    assert acted
    assert _hashes(manifest) == reference


def test_a_lost_node_changes_nothing(world: Path, tmp_path: Path, reference: list[tuple[str, str]]) -> None:
    import ray
    from ray.cluster_utils import Cluster as LocalCluster

    cluster = LocalCluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        second = cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        on_part, acted = _after(3, lambda: cluster.remove_node(second, allow_graceful=False))
        [manifest] = build([_job(world, tmp_path / "node")], Cluster(), on_part)
        assert acted
        deadline = time.monotonic() + 60  # the build may be done before the cluster knows of its loss
        while sum(node["Alive"] for node in ray.nodes()) > 1 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert [node["Alive"] for node in ray.nodes()].count(False) == 1
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert _hashes(manifest) == reference


def test_a_killed_driver_is_continued(world: Path, tmp_path: Path, reference: list[tuple[str, str]]) -> None:
    out = tmp_path / "killed"
    command = [
        sys.executable,
        "-m",
        "pipelines.build_inpaint",
        "--src",
        "cocostuff",
        "--root",
        str(world / "cocostuff"),
    ]
    command += ["--out", str(out), "--part-size", str(PART_SIZE), "--variants", str(VARIANTS), "--cpus", "1"]
    driver = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 300
    while len(list(out.glob("rejected-*"))) < 2:
        assert driver.poll() is None, driver.stdout and driver.stdout.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    committed = len(list(out.glob("rejected-*")))
    assert not load_manifest(Folder.open(out)).complete
    assert committed < len(reference)

    reused: list[bool] = []
    [manifest] = build([_job(world, out)], Cluster(num_cpus=2), lambda part: reused.append(part.reused))
    assert sum(reused) >= committed
    assert _hashes(manifest) == reference
