"""Laws of addresses and of opening: nothing leaves the root, nothing hangs, and every error has one of two meanings."""

import errno
import io
import os
import socket
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cologen.datagen.images import addresses, decoding
from cologen.datagen.records import Reason, RejectedError

PICTURE = b"not a picture, and not decoded here"


def read(path: Path) -> bytes:
    with addresses.opened(str(path), path.name) as file:
        return addresses.read_span(file, 0, 100)


def refusal(path: Path) -> RejectedError:
    with pytest.raises(RejectedError) as error:
        read(path)
    return error.value


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOSPC, errno.EMFILE, errno.ENFILE])
def test_what_may_pass_is_the_machine_s_fault_and_names_the_file(number: int, tmp_path: Path) -> None:
    error = OSError(number, os.strerror(number))
    assert not addresses.is_fault_of_file(error)
    (tmp_path / "a.jpg").touch()
    with pytest.raises(OSError, match=r"a\.jpg") as raised, addresses.opened(str(tmp_path / "a.jpg"), "a.jpg"):
        raise error
    assert raised.value is error


@pytest.mark.parametrize("error", [TimeoutError("slow"), ConnectionResetError("gone"), BlockingIOError()])
def test_an_interrupted_read_is_the_machine_s_fault_even_without_a_number(error: OSError) -> None:
    assert not addresses.is_fault_of_file(error)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENAMETOOLONG, errno.ELOOP, None])
def test_what_never_passes_is_the_file_s_fault(number: int | None) -> None:
    error = OSError("the content is damaged") if number is None else OSError(number, os.strerror(number))
    assert addresses.is_fault_of_file(error)
    with pytest.raises(RejectedError, match=r"a\.jpg: "), addresses.judging("a.jpg"):
        raise error


def test_what_is_no_file_is_rejected_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "endless").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        names = ("pipe", "loop", "folder", "dangling", "endless", "socket", "none", "folder/none", "x" * 300, "pipe/x")
        for name in names:
            assert refusal(tmp_path / name).reason is Reason.MISSING_IMAGE
    with pytest.raises(RejectedError):
        decoding.read_bytes(tmp_path, "endless")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a").touch(mode=0)
    assert "Permission denied" in refusal(tmp_path / "a").detail


def test_links_on_the_disk_are_followed_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A root of links into another disk, as the hub's cache and spread folders are."""
    monkeypatch.setenv("COLOGEN_CACHE", str(tmp_path / "cache"))
    disk, root = tmp_path / "disk", tmp_path / "root"
    disk.mkdir()
    root.mkdir()
    (disk / "a.jpg").write_bytes(PICTURE)
    with tarfile.open(disk / "a.tar", "w") as archive:
        archive.add(disk / "a.jpg", "a.jpg")
    (root / "a.jpg").symlink_to(disk / "a.jpg")
    (root / "a.tar").symlink_to(disk / "a.tar")
    (root / "folder").symlink_to(disk)
    for uri in ("a.jpg", "a.tar#a.jpg", "folder/a.jpg", "folder/a.tar#a.jpg"):
        assert decoding.read_bytes(root, uri) == PICTURE
    with pytest.raises(RejectedError) as error:
        decoding.read_bytes(root, "folder/../../disk/a.jpg")
    assert error.value.reason is Reason.UNSAFE_PATH


@pytest.mark.parametrize(
    "name", ["a#b", "100% sure?&c=d", "ä ö", "a+b", "%23", "old.tar#1", "x.parquet#row=1&column=y"]
)
def test_containers_of_any_name_are_addressed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOGEN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "root" / name).mkdir(parents=True)
    path, member = f"{name}/{name}.tar", f"{name}/{name}.jpg"
    with tarfile.open(tmp_path / "root" / path, "w") as archive:
        info = tarfile.TarInfo(member)
        info.size = len(PICTURE)
        archive.addfile(info, io.BytesIO(PICTURE))
    assert decoding.read_bytes(tmp_path / "root", addresses.address(path, member)) == PICTURE


def test_addresses_keep_the_meaning_they_had() -> None:
    for uri, parts in {
        "a/b#c.jpg": ("a/b#c.jpg", None),
        "shard.tgz#000/b#c.jpg": ("shard.tgz", "000/b#c.jpg"),
        "data/a.parquet#row=1&column=image": ("data/a.parquet", "row=1&column=image"),
        "100%23.jpg": ("100%23.jpg", None),
    }.items():
        assert addresses.split(uri) == parts
        assert addresses.address(*parts) == uri
        assert addresses.tidied(f".//{uri}") == uri


NAMES = st.text(alphabet="a#%?&./ä", max_size=6)


@given(parts=st.lists(st.sampled_from([".tar", ".TGZ", ".parquet", "#", "a"]) | NAMES, max_size=6), member=NAMES)
def test_an_address_is_never_ambiguous(parts: list[str], member: str) -> None:
    for container in (".tar", ".tar.gz", ".parquet", ".Parquet"):
        path = "".join(parts) + container
        assert addresses.split(addresses.address(path, member)) == (path, member)
    file = "".join(parts) + ".jpg"
    assert addresses.split(addresses.address(file)) == (file, None)


def test_many_marks_cost_no_time() -> None:
    assert addresses.split("#" * 300_000) == ("#" * 300_000, None)


def test_the_limit_of_bytes_is_the_processs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOGEN_MAX_PICTURE_BYTES", "")
    assert addresses.max_bytes() == addresses.MAX_BYTES
    addresses.refuse_oversized(addresses.MAX_BYTES, "a.jpg")
    addresses.limit_pictures(1000)
    with pytest.raises(RejectedError, match="1,001 bytes, at most 1,000"):
        addresses.refuse_oversized(1001, "a.jpg")


@pytest.mark.parametrize("text", ["-5", "0", "many", "1.5"])
def test_a_limit_that_is_none_is_refused_by_name(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOGEN_MAX_PICTURE_BYTES", text)
    with pytest.raises(ValueError, match="COLOGEN_MAX_PICTURE_BYTES is a positive number"):
        addresses.max_bytes()
