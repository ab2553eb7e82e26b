import bz2
import errno
import gzip
import io
import lzma
import multiprocessing
import os
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest

from cologen.datagen.images import addresses, archives, decoding
from cologen.datagen.records import Reason, RejectedError
from tests.datagen import hostile_tars
from tests.datagen.hostile_tars import END, GOOD, HOSTILE, header, pax

MEMBERS = {f"003/{i:02d}.jpg": np.random.default_rng(i).bytes(20_000 + 7_000 * i) for i in range(40)}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOGEN_CACHE", str(tmp_path / "cache"))


def pack(path: Path, mode: str) -> str:
    with tarfile.open(path, mode) as archive:
        archive.addfile(tarfile.TarInfo("./003"))
        for name, data in MEMBERS.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return str(path)


@pytest.mark.parametrize(("name", "mode"), [("a.tgz", "w:gz"), ("a.tar.gz", "w:gz"), ("a.tar", "w")])
def test_members_are_read_in_any_order(name: str, mode: str, tmp_path: Path) -> None:
    path = pack(tmp_path / name, mode)
    for member in sorted(MEMBERS, key=hash):
        assert archives.read_member(path, member) == MEMBERS[member]


def test_an_archive_is_gone_through_once(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tgz", "w:gz")
    archives.read_member(path, "003/00.jpg")
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").rglob("*") if file.is_file()}
    # Another process begins with nothing but the cache folder.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(archives.read_member, (path, "003/39.jpg")) == MEMBERS["003/39.jpg"]
    assert kept == {file: file.stat().st_mtime_ns for file in kept}


def test_a_changed_archive_has_another_table(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", "w")
    archives.read_member(path, "003/00.jpg")
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, "new.py")
    assert archives.read_member(path, "new.py") == Path(__file__).read_bytes()


def test_a_missing_member_and_a_missing_archive(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tgz", "w:gz")
    with pytest.raises(RejectedError, match="no member 003/99") as error:
        archives.read_member(path, "003/99.jpg")
    assert error.value.reason is Reason.MISSING_IMAGE
    with pytest.raises(FileNotFoundError):
        archives.read_member(str(tmp_path / "none.tgz"), "a")


@pytest.mark.parametrize(("name", "mode"), [("a.tgz", "w:gz"), ("a.tar", "w")])
def test_a_cut_archive_loses_only_its_end(name: str, mode: str, tmp_path: Path) -> None:
    whole = Path(pack(tmp_path / name, mode)).read_bytes()
    cut = tmp_path / f"cut-{name}"
    cut.write_bytes(whole[: len(whole) // 2])
    found = 0
    for member, data in MEMBERS.items():
        try:
            # The member that is cut itself comes short, for its reader to notice.
            found += archives.read_member(str(cut), member) == data
        except RejectedError as error:
            assert error.reason is Reason.MISSING_IMAGE
            assert re.match(rf"cut-{name} is damaged or cut short, \d+ of its members can be read", error.detail)
    assert 20 <= found < 40


@pytest.mark.parametrize("data", [b"", b"no archive" * 100])
def test_what_is_no_archive_has_no_members(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(data)
    with pytest.raises(RejectedError, match=r"a\.tgz is damaged or cut short, 0 of its members can be read"):
        archives.read_member(str(tmp_path / "a.tgz"), "a")


def reason(path: Path, name: str = "x") -> RejectedError:
    with pytest.raises(RejectedError) as error:
        archives.read_member(str(path), name)
    return error.value


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data, 1) if path.suffix == ".tgz" else data)
    return path


def test_a_wrong_checksum_of_gzip_is_named(tmp_path: Path) -> None:
    path = Path(pack(tmp_path / "a.tgz", "w:gz"))
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    with pytest.raises(RejectedError, match=r"a\.tgz is damaged or cut short.*its checksum is wrong"):
        archives.read_member(str(path), "003/39.jpg")
    assert list((tmp_path / "cache").rglob("members.arrow"))  # and it is not gone through for each picture again


@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_header_rejects_its_member_and_none_before(what: str, suffix: str, tmp_path: Path) -> None:
    path = written(tmp_path / f"a{suffix}", GOOD + HOSTILE[what] + GOOD.replace(b"good.jpg", b"next.jpg") + END)
    assert archives.read_member(str(path), "000/good.jpg") == b"good picture"
    if what not in ("headers within headers", "words for a size in an extended header"):  # an odd name, an empty file
        assert reason(path).reason in (Reason.MISSING_IMAGE, Reason.TOO_LARGE)


@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
def test_a_member_is_no_larger_than_a_picture_may_be(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "MAX_BYTES", 1000)
    path = written(
        tmp_path / f"a{suffix}", hostile_tars.member("x", bytes(1001)) + hostile_tars.member("y", bytes(1000)) + END
    )
    error = reason(path)
    assert (error.reason, error.detail) == (Reason.TOO_LARGE, "x: 1,001 bytes, at most 1,000")
    assert archives.read_member(str(path), "y") == bytes(1000)


@pytest.mark.parametrize("name", ["a.tgz", "a.tar"])
def test_a_damaged_header_loses_its_member_alone_and_the_archive_is_named(name: str, tmp_path: Path) -> None:
    packed = bytearray(b"".join(hostile_tars.member(f"{i}.jpg", bytes([i]) * 700) for i in range(5)) + END)
    packed[2 * 1536 + 3] ^= 1
    path = written(tmp_path / name, bytes(packed))
    for i in (0, 1, 3, 4):
        assert archives.read_member(str(path), f"{i}.jpg") == bytes([i]) * 700
    error = reason(path, "2.jpg")
    detail = f"{name} is damaged or cut short, 4 of its members can be read: a damaged header at byte 3,072"
    assert (error.reason, error.detail) == (Reason.MISSING_IMAGE, detail)


def test_links_stay_inside_the_archive(tmp_path: Path) -> None:
    """A hard link is how tar writes a file that it has seen; every other link would be a way out."""
    content = GOOD
    content += header("hard.jpg", 0, tarfile.LNKTYPE, "./000/good.jpg")
    content += header("out.jpg", 0, tarfile.LNKTYPE, "/etc/passwd") + header("up.jpg", 0, tarfile.LNKTYPE, "../a")
    content += header("soft.jpg", 0, tarfile.SYMTYPE, "000/good.jpg") + header("device.jpg", 0, tarfile.CHRTYPE)
    path = written(tmp_path / "a.tar", content + END)
    assert archives.read_member(str(path), "hard.jpg") == b"good picture"
    for name, detail in {
        "out.jpg": "a link to '/etc/passwd', which is not there",
        "up.jpg": "a link to '../a', which is not there",
        "soft.jpg": "a symbolic link",
        "device.jpg": "a device",
    }.items():
        assert reason(path, name).reason is Reason.MISSING_IMAGE
        assert detail in reason(path, name).detail


def test_a_sparse_member_is_named(tmp_path: Path) -> None:
    block = bytearray(header("x", 512, tarfile.GNUTYPE_SPARSE))
    block[386:410], block[483:495] = b"%011o\0%011o\0" % (0, 512), b"%011o\0" % (1 << 20)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    path = written(tmp_path / "a.tar", bytes(block) + bytes(512) + GOOD + END)
    assert "a sparse file" in reason(path).detail
    assert archives.read_member(str(path), "000/good.jpg") == b"good picture"


def test_names_of_any_kind_take_no_other_member_with_them(tmp_path: Path) -> None:
    strange = [pax(path="nul\0name") + header("x", 0), header("../up", 0), header("/etc/passwd", 0)]
    strange += [header("line\nbreak.jpg", 0), header("é\udce9".encode("utf-8", "surrogateescape").decode("latin1"), 0)]
    path = written(tmp_path / "a.tar", b"".join(strange) + GOOD + END)
    assert archives.read_member(str(path), "000/good.jpg") == b"good picture"
    assert archives.read_member(str(path), "line\nbreak.jpg") == b""


@pytest.mark.parametrize(("name", "mode"), [("a.tgz", "w"), ("a.tar", "w:gz"), ("a.tar.gz", "w")])
def test_the_content_tells_what_compressed_it(name: str, mode: str, tmp_path: Path) -> None:
    path = pack(tmp_path / name, mode)
    assert archives.read_member(path, "003/07.jpg") == MEMBERS["003/07.jpg"]


FOREIGN = {
    "zip": b"PK\x03\x04",
    "zstd": b"\x28\xb5\x2f\xfd",
    "rar": b"Rar!",
    "7z": b"7z\xbc\xaf\x27\x1c",
    "bzip2": bz2.compress(END),
    "xz": lzma.compress(END),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_another_archive_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(FOREIGN[kind] + bytes(2000))
    assert reason(tmp_path / "a.tar").reason is Reason.UNSUPPORTED_ARCHIVE
    assert f"a.tar is a {kind} archive: pack it anew" in reason(tmp_path / "a.tar").detail


def test_what_is_called_an_archive_and_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "d.tar").mkdir()
    os.mkfifo(tmp_path / "pipe.tgz")
    (tmp_path / "endless.tar").symlink_to("/dev/zero")
    for name in ("d.tar", "pipe.tgz", "endless.tar"):
        assert reason(tmp_path / name).reason is Reason.MISSING_IMAGE
        with pytest.raises(RejectedError, match="not a file"):
            decoding.read_bytes(tmp_path, f"{name}#x")
    (tmp_path / "sparse.tar").touch()
    os.truncate(tmp_path / "sparse.tar", 1 << 40)
    assert reason(tmp_path / "sparse.tar").reason is Reason.MISSING_IMAGE


# A small archive's gzip is in memory once it was listed.
@pytest.mark.parametrize(("name", "when"), [("a.tar", "listing"), ("a.tgz", "listing"), ("a.tar", "reading")])
def test_a_disk_that_fails_is_no_damage_of_the_archive(
    name: str, when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(tmp_path / name, "w:gz" if name == "a.tgz" else "w")
    if when == "reading":
        archives.read_member(path, "003/00.jpg")
    pread = os.pread

    def failing(*_: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pread", failing)
    with pytest.raises(OSError, match=r"Input/output error.*a\.t"):
        decoding.read_bytes(tmp_path, f"{name}#003/20.jpg")
    monkeypatch.setattr(os, "pread", pread)
    assert decoding.read_bytes(tmp_path, f"{name}#003/20.jpg") == MEMBERS["003/20.jpg"]
