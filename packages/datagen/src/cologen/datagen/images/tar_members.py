"""Iterates over the members of a tar file with the standard library, guarded against files that would hang it.

``tarfile`` trusts the sizes in an archive: a negative one makes it loop for ever, and headers are read whole, however
long they claim to be. Here it reads from a file that only moves forward, in small pieces.

``tarfile`` also takes a damaged header, or a block of zeros, for the end of an archive. Here reading continues at the
next header, and skipped data is an error after the last member.
"""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol, cast, runtime_checkable

MAX_MEMBERS = 1 << 21
"""The most members of an archive; some 600 MB of memory while they are listed."""

_MAX_READ = 1 << 20
_FAR = 1 << 60
_SEARCHED_BYTES = 64 << 10
_MAX_ZEROS = 64 << 20
"""Bytes: an archive ends with some 10 KB of zeros; a file that holds so many in a row is not read on."""
# A search in tarfile takes quadratic time in the digits that stand in a row; no number has so many.
_DIGITS = re.compile(rb"[0-9]{40}")
_CHECKSUM = re.compile(rb"[ 0-7]+[ \0]*")
_CUT_OFF = (EOFError, zlib.error)
_DAMAGED = (tarfile.TarError, ValueError, IndexError, KeyError, OverflowError, RecursionError)


@runtime_checkable
class Readable(Protocol):
    """A file that is read forward only."""

    def read(self, size: int, /) -> bytes:
        """As of any binary file."""
        ...

    def seek(self, place: int, /) -> int:
        """As of any binary file; beyond the end it may stop there."""
        ...

    def tell(self) -> int:
        """As of any binary file."""
        ...


class BrokenArchiveError(Exception):
    """Members of the archive are lost; those that could be found were given. The message says why, and where."""


def members(file: Readable) -> Iterator[tuple[tarfile.TarInfo, Callable[[], io.BufferedReader | None]]]:
    """Each member, and a function that opens its content for reading until the next member is asked for.

    The function gives None where the member is no plain file (a link, a sparse file), and the content raises
    ``BrokenArchiveError`` where the archive is cut short in it.

    Sizes are as the archive claims them, and never negative. Memory does not grow with the number of members. Where a
    header is damaged, the next block that is a header by its checksum goes on: a tar file inside a member whose own
    header is lost would be taken for more members.

    Raises:
        BrokenArchiveError: no tar file, it is cut short, or something had to be passed over; what came before is good.
        OSError: of the file.
    """
    forward, count, damage = _Forward(file), 0, ""
    try:
        while True:
            trouble = ""
            try:
                for member, content in _until_trouble(forward):
                    count += 1
                    if count > MAX_MEMBERS:
                        raise BrokenArchiveError(f"member {count:,} of {MAX_MEMBERS:,} at most")
                    yield member, content
            except _DAMAGED as error:
                trouble = str(error)
            place, block = forward.header_at, forward.header
            is_end = not trouble and len(block) > 0 and not any(block)
            found, passed = forward.find_header()
            if found or passed or not is_end:
                damage = damage or f"{trouble or _trouble_of(block)} at byte {place:,}"
            if not found:
                break
    except _CUT_OFF as error:
        raise BrokenArchiveError(f"cut short: {error}") from error
    if damage:
        raise BrokenArchiveError(damage)


def _until_trouble(forward: _Forward) -> Iterator[tuple[tarfile.TarInfo, Callable[[], io.BufferedReader | None]]]:
    """The members up to a block that is no header; ``forward`` knows which block that was."""
    with tarfile.open(fileobj=cast(Any, forward), mode="r:") as archive:
        kept: list[tarfile.TarInfo] = cast(Any, archive).members
        while (member := archive.next()) is not None:
            kept.clear()
            if member.size < 0:
                raise tarfile.ReadError(f"a member of {member.size} bytes")
            forward.in_header = False
            yield member, partial(_opened, forward, member)
            forward.in_header = True


def _opened(forward: _Forward, member: tarfile.TarInfo) -> io.BufferedReader | None:
    if not member.isreg() or member.issparse():
        return None
    return io.BufferedReader(_Content(forward, member))


class _Content(io.RawIOBase):
    """What a member holds."""

    def __init__(self, forward: _Forward, member: tarfile.TarInfo) -> None:
        self._forward, self._member = forward, member
        self._place = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        size = min(len(buffer), self._member.size - self._place, _MAX_READ)
        self._forward.seek(self._member.offset_data + self._place)
        data = self._forward.read(size)
        if len(data) < size:
            raise BrokenArchiveError(
                f"cut short in {self._member.name!a}, after {self._place + len(data):,} bytes of it"
            )
        buffer[:size] = data
        self._place += size
        return size


def _trouble_of(block: bytes) -> str:
    """What is wrong with a block that ``tarfile`` took for the end."""
    if len(block) < tarfile.BLOCKSIZE:
        return "cut short: no blocks of zeros for an end" if not block else "cut short in a header"
    return "a damaged header" if any(block) else "zeros before the end"


def _is_header(block: bytes) -> bool:
    if len(block) < tarfile.BLOCKSIZE or not _CHECKSUM.fullmatch(block, 148, 156):
        return False
    try:
        tarfile.TarInfo.frombuf(block, tarfile.ENCODING, "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return False
    return True


class _Forward:
    """What ``tarfile`` reads from."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._start = file.tell()
        self._ahead = b""
        self.in_header = True
        self.header, self.header_at = b"", 0
        """The last block that may have been a header, and its place."""

    def tell(self) -> int:
        return self._file.tell() - len(self._ahead)

    def seek(self, place: int) -> int:
        here = self.tell()
        if place < here:
            raise tarfile.ReadError("a member ends before it begins")
        if place > _FAR:
            raise tarfile.ReadError("a member that no file can hold")
        if place - here < len(self._ahead):
            self._ahead = self._ahead[place - here :]
        else:
            self._ahead = b""
            self._file.seek(place)
        return self.tell()

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MAX_READ:
            raise tarfile.ReadError(f"a header of {size} bytes")
        place = self.tell()
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        if len(data) < size:
            data += self._file.read(size - len(data))
        if self.in_header and size == tarfile.BLOCKSIZE:
            self.header, self.header_at = data, place
        if self.in_header and size > tarfile.BLOCKSIZE and _DIGITS.search(data):
            raise tarfile.ReadError("a number of 40 digits")
        return data

    def find_header(self) -> tuple[bool, bool]:
        """Go to the next block that is a header: whether there is one, and whether more than zeros was passed over.

        Raises:
            BrokenArchiveError: zeros without an end.
        """
        self.seek(self.tell() + (self._start - self.tell()) % tarfile.BLOCKSIZE)
        passed, zeros, before = False, 0, self._ahead
        self._ahead = b""
        while chunk := before or self._file.read(_SEARCHED_BYTES):
            before = b""
            if not any(chunk):
                zeros += len(chunk)
                if zeros > _MAX_ZEROS:
                    raise BrokenArchiveError(f"more than {_MAX_ZEROS >> 20} MB of zeros before byte {self.tell():,}")
                continue
            zeros = 0
            for start in range(0, len(chunk), tarfile.BLOCKSIZE):
                block = chunk[start : start + tarfile.BLOCKSIZE]
                if _is_header(block):
                    self._ahead = chunk[start:]
                    return True, passed
                passed = passed or any(block)
        return False, passed
