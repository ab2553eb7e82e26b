"""Members come one by one, and no archive holds the reading up or takes memory for what it only claims."""

import io
import tarfile
import tracemalloc

import pytest

from cologen.datagen import tar_members
from cologen.datagen.tar_members import BrokenArchiveError, members
from tests.datagen.hostile_tars import END, GOOD, HOSTILE, header, member


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


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_hostile_header_ends_the_archive_or_is_passed(what: str, place: str) -> None:
    """It is read once at most, in little memory, and what came before it is good."""
    file = Counted((GOOD if place == "last" else b"") + HOSTILE[what] + GOOD + END)
    found: list[str] = []
    tracemalloc.start()
    try:
        for info, _ in members(file):
            assert info.size >= 0
            found.append(info.name)
    except BrokenArchiveError as error:
        assert "\n" not in str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 << 20
    assert file.count < 2 * len(file.getvalue())
    assert found[:1] == ["000/good.jpg"] or place == "first"


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


def test_an_error_of_the_file_goes_up() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        list(members(Failing(GOOD)))
