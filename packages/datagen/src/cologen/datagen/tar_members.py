"""The members of a tar file one by one, read by the standard library without the ways in which a file can hold it up.

``tarfile`` believes the sizes in an archive: a negative one sends it back to where it was, for ever, and headers are
read whole however long they claim to be. Here it reads through a file that only goes forward, and little at a time.
"""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any, Protocol, cast, runtime_checkable

MAX_MEMBERS = 1 << 21
"""The most members of an archive; some 600 MB of memory while they are listed."""

_MAX_READ = 1 << 20
# A search in tarfile takes quadratic time in the digits that stand in a row; no number has so many.
_DIGITS = re.compile(rb"[0-9]{40}")
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, ValueError, IndexError, KeyError, OverflowError, RecursionError)


@runtime_checkable
class Readable(Protocol):
    """A file that goes forward."""

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
    """No more members can be read; the message says why."""


def members(file: Readable) -> Iterator[tuple[tarfile.TarInfo, Callable[[], IO[bytes] | None]]]:
    """Each member, and a function that opens its content for reading until the next member is asked for.

    Sizes are as the archive claims them, and never negative. Memory does not grow with the number of members.

    Raises:
        BrokenArchiveError: no tar file, or it breaks off; what came before is good.
        OSError: of the file.
    """
    forward, count = _Forward(file), 0
    try:
        with tarfile.open(fileobj=cast(Any, forward), mode="r:") as archive:
            kept: list[tarfile.TarInfo] = cast(Any, archive).members
            while (member := archive.next()) is not None:
                kept.clear()
                count += 1
                if member.size < 0 or count > MAX_MEMBERS:
                    raise BrokenArchiveError(f"member {count} of {MAX_MEMBERS:,} at most has {member.size} bytes")
                forward.in_header = False
                yield member, partial(archive.extractfile, member)
                forward.in_header = True
    except _DAMAGED as error:
        raise BrokenArchiveError(str(error)) from error


class _Forward:
    """What ``tarfile`` reads from."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self.tell = file.tell
        self.in_header = True

    def seek(self, place: int) -> int:
        if place < self.tell():
            raise tarfile.ReadError("a member ends before it begins")
        return self._file.seek(place)

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MAX_READ:
            raise tarfile.ReadError(f"a header of {size} bytes")
        data = self._file.read(size)
        if self.in_header and size > tarfile.BLOCKSIZE and _DIGITS.search(data):
            raise tarfile.ReadError("a number of 40 digits")
        return data
