"""Members come one by one, and no archive holds the reading up or takes memory for what it only claims."""

import io
import re
import tarfile
import tracemalloc

import pytest

from cologen.datagen.images import tar_members
from cologen.datagen.images.tar_members import BrokenArchiveError, members
from tests.datagen.hostile_tars import END, GOOD, HOSTILE, header, member, padded


class Counted(io.BytesIO):
    """Knows how much was read from it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_member_comes_with_its_content(form: int) -> None:
    contents = {f"{'long/' * 18 * (i % 3)}{i}.jpg": bytes([i]) * (i * 300) for i in range(9)}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        for name, data in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    packed.seek(0)
    found = {info.name: content.read() for info, opened in members(packed) if (content := opened())}
    assert found == contents


@pytest.mark.slow
@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("place", ["first", "middle"])
def test_a_hostile_header_is_passed_or_said(what: str, place: str) -> None:
    """It is read once at most, in little memory; what came before it is good, and what is lost is an error."""
    after = [f"{i}.jpg" for i in range(3)]
    file = Counted(
        (GOOD if place == "middle" else b"") + HOSTILE[what] + b"".join(member(n, b"x") for n in after) + END
    )
    found: list[str] = []
    error: BrokenArchiveError | None = None
    tracemalloc.start()
    try:
        for info, _ in members(file):
            assert info.size >= 0
            found.append(info.name)
    except BrokenArchiveError as broken:
        error = broken
        assert "\n" not in str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 << 20
    assert file.count < 2 * len(file.getvalue())
    assert found[:1] == ["000/good.jpg"] or place == "first"
    assert found[-3:] == after or error is not None
    assert found[-2:] == after[1:] or "cut short" in str(error) or "unexpected end of data" in str(error)


def test_content_may_hold_what_no_header_may() -> None:
    data = b"1" * 5000
    packed = io.BytesIO(member("digits.jsonl", data) + END)
    assert [content.read() for _, opened in members(packed) if (content := opened())] == [data]


def test_no_more_members_than_memory_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_members, "MAX_MEMBERS", 3)
    found = []
    with pytest.raises(BrokenArchiveError, match="of 3 at most"):
        for info, _ in members(io.BytesIO(header("x", 0) * 10 + END)):
            found.append(info)
    assert len(found) == 3


SIX = [member(f"{i}.jpg", bytes([i]) * (300 * i)) for i in range(6)]
PLACES = [sum(map(len, SIX[:i])) for i in range(7)]
WHOLE = b"".join(SIX)


def listed(data: bytes) -> tuple[dict[str, bytes], str]:
    """The members of an archive and its error, "" for none."""
    found: dict[str, bytes] = {}
    try:
        for info, opened in members(io.BytesIO(data)):
            content = opened()
            assert content
            found[info.name] = content.read()
    except BrokenArchiveError as error:
        return found, str(error)
    return found, ""


def six_without(*lost: int) -> dict[str, bytes]:
    return {f"{i}.jpg": bytes([i]) * (300 * i) for i in range(6) if i not in lost}


@pytest.mark.parametrize("lost", range(6))
@pytest.mark.parametrize("byte", [0, 124, 150, 156, 257, 400])
def test_a_damaged_header_loses_its_member_alone(lost: int, byte: int) -> None:
    data = bytearray(WHOLE + END)
    data[PLACES[lost] + byte] ^= 0x15
    found, error = listed(bytes(data))
    assert found == six_without(lost)
    assert error in (
        f"{word} at byte {PLACES[lost]:,}" for word in ("a damaged header", "bad checksum", "invalid header")
    )


def test_several_places_lose_no_more_than_their_members() -> None:
    data = bytearray(WHOLE + END)
    for lost in (0, 2, 3):
        data[PLACES[lost]] ^= 1
    found, error = listed(bytes(data))
    assert found == six_without(0, 2, 3)
    assert error.endswith("at byte 0")


@pytest.mark.parametrize(("first", "last"), [(0, 2), (2, 3), (2, 5)])
def test_sectors_of_zeros_are_no_end(first: int, last: int) -> None:
    """As a disk leaves them: whole headers among them."""
    hole = WHOLE[: PLACES[first]] + bytes(PLACES[last] - PLACES[first]) + WHOLE[PLACES[last] :] + END
    found, error = listed(hole)
    assert found == six_without(*range(first, last))
    assert error == f"zeros before the end at byte {PLACES[first]:,}"


def test_the_name_of_a_damaged_header_goes_to_no_other_member() -> None:
    """A long name stands before the header of its member: where that is damaged, the next member keeps its own."""
    long = "long/" * 40 + "name.jpg"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        info = tarfile.TarInfo(long)
        info.size = 1
        headers = info.tobuf(form)
        data = bytearray(headers + padded(b"x") + WHOLE + END)
        assert next(iter(listed(bytes(data))[0])) == long
        data[len(headers) - 512 + 9] ^= 1
        found, error = listed(bytes(data))
        assert found == six_without()
        assert "at byte 1,024" in error


@pytest.mark.parametrize("end", [END, bytes(512), bytes(10240), bytes(1 << 20)])
def test_any_number_of_zeros_is_an_end(end: bytes) -> None:
    assert listed(WHOLE + end) == (six_without(), "")
    assert listed(end) == ({}, "")


def test_a_cut_archive_is_told_from_its_end() -> None:
    for cut in range(0, len(WHOLE), 100):
        found, error = listed(WHOLE[:cut])
        assert found == six_without(*(i for i in range(6) if PLACES[i] + 512 + 300 * i > cut or PLACES[i] + 512 > cut))
        assert re.search("cut short|unexpected end of data|empty file|truncated header", error)
    assert listed(WHOLE) == (six_without(), f"cut short: no blocks of zeros for an end at byte {len(WHOLE):,}")


def test_what_is_no_plain_file_has_no_content() -> None:
    data = header("hard", 0, tarfile.LNKTYPE, "0.jpg") + header("soft", 0, tarfile.SYMTYPE, "0.jpg") + WHOLE + END
    assert [opened() is None for _, opened in members(io.BytesIO(data))] == [True] * 2 + [False] * 6


def test_two_archives_in_one_file_are_both_read_and_said() -> None:
    half = PLACES[3]
    found, error = listed(WHOLE[:half] + END + WHOLE[half:] + END)
    assert found == six_without()
    assert error == f"zeros before the end at byte {half:,}"


def test_zeros_without_an_end_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_members, "_MAX_ZEROS", 1 << 20)
    found, error = listed(WHOLE + bytes(4 << 20))
    assert found == six_without()
    assert error.startswith("more than 1 MB of zeros before byte 1,")


def test_an_error_of_the_file_goes_up() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        list(members(Failing(GOOD)))
