"""What goes wrong about one picture costs that picture, what goes wrong about one part costs that part, and no more."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import ray
import ray.cloudpickle

from cologen.datagen.datasets import Reading
from cologen.datagen.engine.build import PartDone, PartsFailedError, build
from cologen.datagen.engine.cluster import Cluster, FailurePolicy, connected
from cologen.datagen.engine.dispatch import Status
from cologen.datagen.engine.jobs import Job
from cologen.datagen.engine.parts import Part
from cologen.datagen.engine.worker import run_part
from cologen.datagen.manifest import Manifest, PartContent, PartReport, load_manifest, read_part
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.passes.inpaint import InpaintRecipe, MaskPass
from cologen.datagen.passes.reading import Reader, read_items
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
PART_SIZE = 4
PROMPT = FailurePolicy(pause=0.01)


@pytest.fixture(scope="module", autouse=True)
def one_cluster() -> Iterator[None]:
    """Two workers for all tests of this file; they get this module's stages by value."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with connected(Cluster(num_cpus=2)):
        yield
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def _recurse() -> None:
    _recurse()


STRANGE: dict[int, Callable[[], Any]] = {
    0: lambda: 1 / 0,
    3: lambda: np.zeros(2**60, dtype=np.uint8),
    5: _recurse,
    6: lambda: b"\xff".decode(),
    9: lambda: struct.unpack("<Q", b"123"),
    10: lambda: np.linalg.inv(np.zeros((2, 2))),
    11: lambda: cv2.resize(np.zeros((0, 0, 3), np.uint8), (4, 4)),
    14: lambda: np.zeros(3).reshape(2, 2),
    17: lambda: {}["size"],
    18: lambda: next(iter(())),
    20: lambda: (_ for _ in ()).throw(AssertionError(object())),
    23: lambda: float(None),  # type: ignore[arg-type]
}
TYPES = Counter(
    {
        "ZeroDivisionError": 1, "MemoryError": 1, "RecursionError": 1, "UnicodeDecodeError": 1, "error": 2,
        "LinAlgError": 1, "ValueError": 1, "KeyError": 1, "StopIteration": 1, "AssertionError": 1, "TypeError": 1,
    }
)  # fmt: skip


class Wrapped:
    """A source by another; what it reads is what its kind is about."""

    def __init__(self, source: Any) -> None:
        self._source, self.name = source, source.name
        self.annotated, self.kinds = source.annotated, source.kinds

    def __len__(self) -> int:
        return len(self._source)

    def fingerprint(self) -> str:
        return self._source.fingerprint()


class StrangeSource(Wrapped):
    """A source whose ``read`` raises what no source should, at chosen pictures."""

    def read(self, index: int) -> Reading[Image]:
        STRANGE.get(index, lambda: None)()
        return self._source.read(index)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangePass(MaskPass):
    def open(self) -> Callable[[Part], PartContent]:
        source: Any = StrangeSource(self.reader.open())
        return lambda part: self._draw(part, *read_items(source, part))


def _pass(kind: type[MaskPass], world: Path, out: Path, limit: int = 28, **more: Any) -> Any:
    reader = Reader.of(Image, "cocostuff", world / "cocostuff", "train", PART_SIZE, limit)
    return kind(folder=Folder.open(out), recipe=InpaintRecipe(source=reader.recipe), reader=reader, **more)


def _hashes(reports: list[PartReport]) -> list[tuple[str, str]]:
    return [(one.sha256, one.rejected_sha256) for one in sorted(reports, key=lambda one: one.index)]


def _alone(pass_: MaskPass) -> list[tuple[str, str]]:
    """The hashes of all parts, made by this process one after the other."""
    pass_.folder.create()
    rows = [run_part({"id": index}, pass_, PROMPT) for index in range(pass_.manifest().num_parts)]
    return _hashes([PartReport.model_validate(json.loads(row["done"])[0][0]) for row in rows])


def _rejected(manifest: Manifest, folder: Folder) -> dict[str, tuple[str, str]]:
    rows = [row for part in manifest.parts for row in read_part(folder, part.rejected_file).to_pylist()]
    return {row["sample_id"]: (row["reason"], row["detail"]) for row in rows}


def test_strange_exceptions_cost_their_pictures_alone_and_are_the_same_bytes_everywhere(
    world: Path, tmp_path: Path
) -> None:
    [manifest] = build([Job(pass_=_pass(StrangePass, world, tmp_path / "two"))], Cluster())

    assert manifest.rejected["internal_error"] == len(STRANGE)
    rejected = _rejected(manifest, Folder.open(tmp_path / "two"))
    found = {name: detail for name, (reason, detail) in rejected.items() if reason == "internal_error"}
    assert set(found) == {f"cocostuff/index={index}" for index in STRANGE}
    assert Counter(detail.partition(" ")[0] for detail in found.values()) == TYPES
    assert all(" at cologen/datagen/" in detail for detail in found.values())
    assert manifest.rows + sum(manifest.rejected.values()) == 28
    assert _hashes([*manifest.parts]) == _alone(_pass(StrangePass, world, tmp_path / "one"))


class FaultyDisk(Wrapped):
    """A source on a disk that fails as the script says; counts in files, since workers come and go."""

    def __init__(self, source: Any, script: Path) -> None:
        super().__init__(source)
        self._script = script

    def read(self, index: int) -> Reading[Image]:
        if (self._script / "mended").exists():
            return self._source.read(index)
        part, place = divmod(index, PART_SIZE)
        times = self._count(f"part-{part}") if place == 0 else 0
        if part == 0 and times == 1:
            raise OSError(errno.EIO, "Input/output error")
        if part == 1 and times == 1:
            os._exit(1)
        if part == 2 and place == 0:
            os._exit(1)
        if part == 3:
            time.sleep(3600)
        if part == 4 and place == 1:
            raise OSError(errno.EIO, "Input/output error", "sector.jpg")
        if part == 5:
            raise OSError(errno.EIO, "Input/output error", "gone.jpg")
        return self._source.read(index)

    def _count(self, name: str) -> int:
        with (self._script / name).open("a+") as file:
            file.write("x")
            return file.tell()


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyPass(MaskPass):
    script: Path

    def open(self) -> Callable[[Part], PartContent]:
        source: Any = FaultyDisk(self.reader.open(), self.script)
        return lambda part: self._draw(part, *read_items(source, part))


def test_failing_parts_are_tried_again_set_aside_and_made_by_the_next_run(world: Path, tmp_path: Path) -> None:
    script, out = tmp_path / "script", tmp_path / "out"
    script.mkdir()
    pass_ = _pass(FaultyPass, world, out, script=script)
    done: list[PartDone] = []
    seen: list[Status] = []

    with pytest.raises(PartsFailedError) as ended:
        build(
            [Job(pass_=pass_)],
            Cluster(failures=replace(PROMPT, tries=2, part_timeout=10.0)),
            done.append,
            seen.append,
        )

    assert [one.index for one in ended.value.failed] == [2, 3, 5]
    died, hung, unreadable = (one.why for one in ended.value.failed)
    assert "WorkerCrashedError" in died
    assert "more than 10 s" in hung
    assert "4 of 4 pictures cannot be read" in unreadable
    assert all("2 tries" in one.why for one in ended.value.failed)
    assert "run the same command again" in str(ended.value)
    assert sorted(part.report.index for part in done) == [0, 1, 4, 6]
    assert {part.report.index: part.report.rejected.get("unreadable", 0) for part in done}[4] == 1
    assert any(
        one.part == 3 and one.seconds > 1 and "process" in one.where for status in seen for one in status.at_work
    )
    assert not load_manifest(pass_.folder).complete

    (script / "mended").touch()
    reused: list[bool] = []
    [manifest] = build([Job(pass_=pass_)], Cluster(), lambda part: reused.append(part.reused))
    assert Counter(reused) == {True: 4, False: 3}
    sound = _alone(_pass(MaskPass, world, tmp_path / "sound"))
    ours = _hashes([*manifest.parts])
    assert [ours[index] for index in (0, 1, 2, 3, 5, 6)] == [sound[index] for index in (0, 1, 2, 3, 5, 6)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPass(MaskPass):
    """Fails for each part, or (``opens`` False) before there is one."""

    opens: bool = True

    def open(self) -> Callable[[Part], PartContent]:
        if not self.opens:
            raise FileNotFoundError("no file of weights at sam.pth")

        def work(part: Part) -> PartContent:
            raise ArithmeticError(f"part {part.index}")

        return work


def test_a_build_ends_early_where_too_much_fails_and_at_once_where_a_stage_does_not_open(
    world: Path, tmp_path: Path
) -> None:
    few = Cluster(failures=replace(PROMPT, max_failed_parts=1))
    with pytest.raises(PartsFailedError, match=r"^2 of 7 parts of .*ended early") as ended:
        build([Job(pass_=_pass(BrokenPass, world, tmp_path / "parts"))], few)
    assert all(one.why.startswith("ArithmeticError at cologen/datagen/engine/worker.py:") for one in ended.value.failed)

    with pytest.raises(ValueError, match=r"^no file of weights at sam\.pth$"):
        build([Job(pass_=_pass(BrokenPass, world, tmp_path / "stage", opens=False))], few)
    # An actor's pass fails in the same words.
    with pytest.raises(PartsFailedError, match="ArithmeticError"):
        build([Job(pass_=_pass(BrokenPass, world, tmp_path / "actor"), num_actors=1)], few)


def _kill_a_worker(chance: random.Random) -> bool:
    """Kill one of the cluster's worker processes, as the kernel does when memory is short."""
    workers = ray_processes("ray::_run_pass")
    if workers:
        chance.choice(workers).kill()
    return bool(workers)


def test_a_build_killed_at_random_moments_with_its_workers_ends_with_the_same_bytes(
    world: Path, tmp_path: Path
) -> None:
    out, root, chance = tmp_path / "out", world / "cocostuff", random.Random(7)
    arguments = ["--src", "cocostuff", "--root", str(root), "--part-size", "1", "--variants", "8"]
    reader = Reader.of(Image, "cocostuff", root, "train", 1, None)
    recipe = InpaintRecipe(source=reader.recipe, variants=8)
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-m", "pipelines.build_inpaint", *arguments, "--out", str(out), "--address", address]
    for wanted in (1, 12):
        driver = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 300
        while len([*out.glob("rejected-*")]) < wanted and driver.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.1))
        _kill_a_worker(chance)
        time.sleep(chance.uniform(0, 0.1))
        assert driver.poll() is None, driver.stdout and driver.stdout.read().decode()
        driver.kill()
        driver.communicate()
    committed = len([*out.glob("rejected-*")])
    assert 12 <= committed < reader.recipe.num_parts
    assert not load_manifest(Folder.open(out)).complete

    killed: list[bool] = []

    def on_part(part: PartDone) -> None:
        if not part.reused and len(killed) < 3:
            killed.append(_kill_a_worker(chance))

    job = Job(pass_=MaskPass(folder=Folder.open(out), recipe=recipe, reader=reader))
    [manifest] = build([job], Cluster(failures=replace(PROMPT, tries=6)), on_part)
    assert any(killed)
    assert _hashes([*manifest.parts]) == _alone(replace(job.pass_, folder=Folder.open(tmp_path / "alone")))


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_stop_in_the_middle_is_one_line_and_code_130_and_what_is_committed_stays(
    world: Path, tmp_path: Path, ending: signal.Signals
) -> None:
    out = tmp_path / "out"
    arguments = ["--src", "cocostuff", "--root", str(world / "cocostuff"), "--part-size", "1", "--out", str(out)]
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-m", "pipelines.build_inpaint", *arguments, "--variants", "8", "--address", address]
    driver = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 300
    while not [*out.glob("rejected-*")] and driver.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    if ending == signal.SIGINT:
        os.killpg(driver.pid, ending)  # a terminal sends it to the whole group
    else:
        driver.send_signal(ending)
    said, errors = driver.communicate(timeout=60)
    assert driver.returncode == 130, said + errors
    assert errors == "Stopped. What is committed is kept: run the same command again to continue.\n"
    assert [*out.glob("rejected-*")]
    assert not load_manifest(Folder.open(out)).complete


def test_a_folder_on_a_full_disk_is_one_message_and_the_build_continues_when_there_is_room(
    world: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no permission to mount a small disk")
    try:
        pass_ = _pass(MaskPass, world, disk / "out")
        filler = disk / "filler"
        filler.write_bytes(bytes(984 << 10))
        with pytest.raises(PartsFailedError, match="No space left on device") as ended:
            build([Job(pass_=pass_)], Cluster(failures=PROMPT))
        assert 0 < len(ended.value.failed) <= 7
        filler.unlink()
        [manifest] = build([Job(pass_=pass_)], Cluster(failures=PROMPT))
        assert _hashes([*manifest.parts]) == _alone(_pass(MaskPass, world, tmp_path / "roomy"))
        assert not [name for name in pass_.folder.names() if name.endswith(".tmp")]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
