"""From an ``image_uri`` to an open file that lies under the dataset's root, or a rejection that says why not.

An ``OSError`` that leaves it open whether the file is good (a failing disk, too many open files) goes up unchanged,
for the part to be tried again.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from cologen.datagen import archives, parquet_images
from cologen.datagen.records import Reason, RejectedError

MAX_BYTES = 256 << 20
"""The most bytes that one encoded picture, or one file in an archive, may have: larger ones are rejected unread."""

_ABSENT = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP}
)


def locate(root: Path, uri: str) -> tuple[str, str | None]:
    """The local path of ``uri``, and the archive member or Parquet cell it names, if any.

    Raises:
        RejectedError: the path is absolute, climbs with ``..`` or cannot be a path.
    """
    shard, mark, member = uri.partition("#")
    if mark and shard.endswith(parquet_images.SUFFIX):
        return os.path.join(root, normal(shard)), member  # noqa: PTH118
    if mark and shard.endswith(archives.SUFFIXES):
        return os.path.join(root, normal(shard)), normal(member)  # noqa: PTH118  (pathlib takes five times as long)
    return os.path.join(root, normal(uri)), None  # noqa: PTH118


def normal(path: str) -> str:
    """``./003/a.jpg`` as ``003/a.jpg``: lexical, the file system is not asked.

    Raises:
        RejectedError: as ``locate``.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    unsafe = not parts or ".." in parts or path.startswith("/") or "\\" in path or "\0" in path
    if unsafe or parts[0].endswith(":") or not _is_encodable(path):
        raise RejectedError(Reason.UNSAFE_PATH, ascii(path))
    return "/".join(parts)


@contextmanager
def opened(path: str, uri: str) -> Generator[int]:
    """The descriptor of a regular file, open for reading.

    Raises:
        RejectedError: no such file, no leave to read it, or not a regular file.
    """
    try:
        # Without O_NONBLOCK a named pipe would hold the worker for ever.
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in _ABSENT:
            raise RejectedError(Reason.MISSING_IMAGE, f"{uri}: {error.strerror}") from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise RejectedError(Reason.MISSING_IMAGE, f"{uri}: not a file")
        yield file
    finally:
        os.close(file)


def read_span(file: int, offset: int, length: int) -> bytes:
    """``length`` bytes from ``offset`` on, or fewer at the end of the file."""
    data = os.pread(file, length, offset)
    # One call may return less than there is: 2 GB at most, and anything over a network.
    while len(data) < length and (more := os.pread(file, length - len(data), offset + len(data))):
        data += more
    return data


def _is_encodable(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
