import io
import multiprocessing
import tarfile
from pathlib import Path

import numpy as np
import pytest

from cologen.datagen import archives
from cologen.datagen.records import Reason, RejectedError

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
            assert "breaks off" in error.detail
    assert 20 <= found < 40


@pytest.mark.parametrize("data", [b"", b"no archive" * 100])
def test_what_is_no_archive_has_no_members(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(data)
    with pytest.raises(RejectedError, match="breaks off after 0 members"):
        archives.read_member(str(tmp_path / "a.tgz"), "a")
