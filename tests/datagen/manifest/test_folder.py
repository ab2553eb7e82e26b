"""Files appear whole or not at all, and a folder has one builder at a time, wherever it lies."""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from pyarrow import fs

from cologen.datagen.manifest import folder as storage
from cologen.datagen.manifest.folder import LEASE_SECONDS, LOCK_NAME, Folder, require_local


@pytest.fixture
def local(tmp_path: Path) -> Folder:
    folder = Folder.open(tmp_path / "out")
    folder.create()
    return folder


@pytest.fixture
def remote() -> Iterator[Folder]:
    """A filesystem that is no local disk and no object store, as pyarrow sees any of fsspec's."""
    memory = fsspec.filesystem("memory")
    folder = Folder(fs.PyFileSystem(fs.FSSpecHandler(memory)), "/bucket/out")
    folder.create()
    yield folder
    memory.rm("/bucket", recursive=True)


@pytest.fixture(params=["local", "remote"])
def folder(request: pytest.FixtureRequest) -> Folder:
    return request.getfixturevalue(request.param)


def python(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def test_what_was_written_is_read(folder: Folder):
    folder.write("a.bin", b"\0\1" * 1000)
    folder.write("empty", b"")
    assert folder.read("a.bin") == b"\0\1" * 1000
    assert folder.read("empty") == b""
    folder.write("a.bin", b"new")
    assert folder.read("a.bin") == b"new"


def test_names_are_what_lies_directly_inside(folder: Folder):
    assert folder.names() == []
    for name in ("b", "a", ".hidden"):
        folder.write(name, b"x")
    assert folder.names() == [".hidden", "a", "b"]
    assert folder.exists("a")
    assert not folder.exists("c")
    folder.delete("a")
    assert folder.names() == [".hidden", "b"]
    folder.delete("a")


def test_a_folder_inside_is_no_file_and_goes_with_all_it_holds(folder: Folder):
    folder.filesystem.create_dir(f"{folder.path}/sub")
    folder.write("sub/a", b"x")
    assert folder.read("sub/a") == b"x"
    assert folder.names() == ["sub"]
    assert not folder.exists("sub")
    folder.delete("sub")
    assert folder.names() == []


def test_what_is_not_there_says_so(folder: Folder):
    with pytest.raises(FileNotFoundError):
        folder.read("absent")
    assert Folder(folder.filesystem, f"{folder.path}/absent").names() == []


def test_the_sweep_takes_what_killed_writers_left_and_nothing_else(folder: Folder):
    for name in (".part-00000.parquet.0a1b2c3d4e5f.tmp", ".lock", "notes.tmp", "part-00000.parquet"):
        folder.write(name, b"x")
    folder.sweep()
    assert folder.names() == [".lock", "notes.tmp", "part-00000.parquet"]


def test_writing_leaves_nothing_behind(folder: Folder):
    for round_ in range(3):
        folder.write("a", bytes([round_]))
    assert folder.names() == ["a"]


def test_a_write_that_breaks_off_leaves_the_old_file_and_a_name_for_the_sweep(local: Folder):
    local.write("a", b"old")
    breaks_off = (
        "import resource, sys; from cologen.datagen.manifest.folder import Folder\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: Folder.open(sys.argv[1]).write('a', bytes(5000))\n"
        "except OSError: print('broken off')"
    )
    assert python(breaks_off, local.path).communicate()[0] == "broken off\n"
    assert local.read("a") == b"old"
    assert len(local.names()) == 2
    local.sweep()
    assert local.names() == ["a"]


def test_readers_never_see_half_a_file(local: Folder):
    contents = [bytes([value]) * 300_000 for value in (1, 2)]
    local.write("a", contents[0])
    written = threading.Event()

    def write() -> None:
        for number in range(20):
            local.write("a", contents[number % 2])
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not written.is_set():
        assert local.read("a") in contents
    writer.join()


def test_a_folder_that_cannot_be_made_is_refused_with_its_path(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=rf"cannot write into {tmp_path}/file/out: .*Choose another --out"):
        Folder.open(tmp_path / "file" / "out").create()
    with pytest.raises(ValueError, match=rf"cannot write into {tmp_path}/file: "):
        Folder.open(tmp_path / "file").create()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match="cannot write into"):
        Folder.open(tmp_path).create()


def test_opening_makes_nothing(tmp_path: Path):
    assert Folder.open(tmp_path / "out").names() == []
    assert not (tmp_path / "out").exists()


def test_paths_and_uris_name_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert Folder.open("out") == Folder.open(tmp_path / "out") == Folder.open(f"file://{tmp_path}/out/")
    assert str(Folder.open("out")) == str(tmp_path / "out")
    assert Folder.open("out").sibling("-concepts") == Folder.open(tmp_path / "out-concepts")
    with pytest.raises(ValueError, match="ftp"):
        Folder.open("ftp://somewhere/out")


def test_folders_travel_to_workers_and_key_their_caches(folder: Folder):
    again = pickle.loads(pickle.dumps(folder))
    assert again == folder
    assert hash(again) == hash(folder)
    assert folder.sibling("-x") != folder


def test_a_folder_has_one_builder_at_a_time(folder: Folder):
    with folder.locked():
        with pytest.raises(ValueError, match=rf'{folder.path}: .*"pid": {os.getpid()}.*Wait for it'), folder.locked():
            pass
        other = folder.sibling("-2")
        other.create()
        with other.locked():
            pass
    with folder.locked():
        pass


def test_the_lock_is_let_go_when_the_block_fails(folder: Folder):
    with pytest.raises(KeyError), folder.locked():
        raise KeyError
    with folder.locked():
        pass


HOLD = (
    "import sys, time; from cologen.datagen.manifest.folder import Folder\n"
    "with Folder.open(sys.argv[1]).locked(): print('held', flush=True); time.sleep(60)"
)


def test_a_local_lock_ends_with_its_process_however_it_dies(local: Folder):
    holder = python(HOLD, local.path)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match=f'"pid": {holder.pid}'), local.locked():
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with local.locked():
        pass


def test_a_lease_is_there_from_the_first_moment_and_gone_at_the_end(remote: Folder):
    with remote.locked():
        lease = json.loads(remote.read(LOCK_NAME))
        assert lease["pid"] == os.getpid()
        assert abs(time.time() - lease["renewed"]) < 60
    assert remote.names() == []


def test_a_lease_of_a_living_process_is_respected_and_one_of_a_dead_process_is_not(remote: Folder):
    lease = {"host": "elsewhere", "pid": 7, "renewed": time.time() - 0.5 * LEASE_SECONDS}
    remote.write(LOCK_NAME, json.dumps(lease).encode())
    with pytest.raises(ValueError, match="elsewhere"), remote.locked():
        pass
    assert remote.exists(LOCK_NAME)
    remote.write(LOCK_NAME, json.dumps(lease | {"renewed": time.time() - 1.5 * LEASE_SECONDS}).encode())
    with remote.locked():
        assert json.loads(remote.read(LOCK_NAME))["pid"] == os.getpid()


def test_a_lease_is_renewed_while_the_block_runs(remote: Folder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(storage, "LEASE_SECONDS", 0.8)
    with remote.locked():
        time.sleep(1.2)
        with pytest.raises(ValueError, match="another process"), remote.locked():
            pass


@pytest.mark.parametrize("uri", ["s3://bucket/coco", "gs://bucket", "hf://datasets/a/b", "https://host/a", "file:///a"])
def test_a_uri_where_files_of_a_disk_are_read_is_refused_by_its_option(uri: str, tmp_path: Path) -> None:
    for path in (uri, Path(uri)):
        with pytest.raises(ValueError, match=r"--root must be a folder on a disk.*copy or mount it"):
            require_local(path, "--root")
    for path in (tmp_path, "data/coco", "a:b", "C/d"):
        require_local(path, "--root")
