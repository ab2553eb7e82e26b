"""From an ``image_uri`` to an open file under the dataset's root, or a rejection that says why not.

The one place that decides which errors of the operating system reject a picture (``is_fault_of_file``); every other
``OSError`` is the machine's fault and is raised unchanged, so that the part is tried again.

Text from a dataset never leaves the root: addresses with ``..`` or an absolute path are rejected without a look at the
disk. Symbolic links on the disk are followed wherever they lead, since the user made them: folders that are spread over
disks and the hub's cache consist of links. Links inside an archive never leave the archive.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from cologen.datagen.records import Reason, RejectedError

MAX_BYTES = 256 << 20
"""The most bytes that one encoded picture, or one file in an archive, may have: larger ones are rejected unread.

The default; the environment variable ``COLOGEN_MAX_PICTURE_BYTES`` sets another, and a build its recipe's.
"""
_LIMIT_VARIABLE = "COLOGEN_MAX_PICTURE_BYTES"

PARQUET_SUFFIX = ".parquet"
ARCHIVE_SUFFIXES = (".tar", ".tgz", ".tar.gz")

_CONTAINERS = (PARQUET_SUFFIX, *ARCHIVE_SUFFIXES)
_SUFFIX_LENGTH = max(map(len, _CONTAINERS))
_FAULTS_OF_FILE = frozenset(
    {
        *(errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.EILSEQ),  # no such path
        *(errno.EACCES, errno.EPERM),
        *(errno.EISDIR, errno.ENXIO, errno.ENODEV, errno.ESPIPE),  # a folder, a socket, a device, a pipe
    }
)


def is_fault_of_file(error: OSError) -> bool:
    """Whether ``error`` says that this file cannot be used, so that its picture is rejected and counted.

    True: the path does not exist or cannot exist, may not be read, or is no regular file; so is an error without a
    number, by which a library says that the content is damaged. False: anything that may pass or that other files would
    meet too (EIO, ESTALE, ETIMEDOUT, ENOSPC, EMFILE, ENOMEM and all that is not known here).
    """
    if error.errno is None:
        return not isinstance(error, (TimeoutError, ConnectionError, InterruptedError, BlockingIOError))
    return error.errno in _FAULTS_OF_FILE


@contextmanager
def judging(name: str) -> Generator[None]:
    """Errors of the operating system in this block: the file's own become a rejection, others are given its name.

    Raises:
        RejectedError: ``is_fault_of_file``.
        OSError: all others.
    """
    try:
        yield
    except OSError as error:
        if is_fault_of_file(error):
            raise RejectedError(Reason.MISSING_IMAGE, f"{name}: {error.strerror or error}") from None
        if error.filename is None:
            error.filename = name
        raise


def locate(root: Path, uri: str) -> tuple[str, str | None]:
    """The local path of ``uri``, and the archive member or Parquet cell it names, if any.

    Raises:
        RejectedError: the path is absolute, climbs with ``..`` or cannot be a path.
    """
    path, member = split(uri)
    if member is not None and not path.lower().endswith(PARQUET_SUFFIX):
        member = normal(member)
    return os.path.join(root, normal(path)), member  # noqa: PTH118  (pathlib takes five times as long)


def address(path: str, member: str | None = None) -> str:
    r"""The address of a file, or of an archive's member or a Parquet file's cell, such that ``split`` gives both back.

    ``a.tar`` and ``b.jpg`` become ``a.tar#b.jpg``. Only in a path that would itself be read as a container with a
    member, such as ``old.tar#1/a.jpg``, each ``#`` is written as ``\#``.
    """
    rest = "" if member is None else f"#{member}"
    return path + rest if split(path + rest) == (path, member) else path.replace("#", r"\#") + rest


def tidied(uri: str) -> str:
    """The address without detours (``./a//b.jpg`` as ``a/b.jpg``), so that equal pictures have equal addresses.

    Raises:
        RejectedError: as ``locate``.
    """
    path, member = split(uri)
    return address(normal(path), member)


def split(uri: str) -> tuple[str, str | None]:
    r"""The path and the member of an address; None where it names a file.

    The first ``#`` after the suffix of a container parts the two: ``a#b.tar#c#d.jpg`` is ``c#d.jpg`` in ``a#b.tar``,
    and ``a#b.jpg`` is a file. ``\#`` is a ``#`` that belongs to the path; no other backslash is valid.
    """
    place = uri.find("#")
    while place >= 0:
        if uri[max(0, place - _SUFFIX_LENGTH) : place].lower().endswith(_CONTAINERS):
            return uri[:place].replace(r"\#", "#"), uri[place + 1 :]
        place = uri.find("#", place + 1)
    return uri.replace(r"\#", "#"), None


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
    """The descriptor of a regular file, open for reading; errors of reading it are judged as those of opening it.

    Raises:
        RejectedError: no such file, no permission to read it, or not a regular file.
        OSError: the machine's fault, see ``is_fault_of_file``.
    """
    with judging(uri):
        file = open_regular(path, uri)
        try:
            yield file
        finally:
            os.close(file)


def open_regular(path: str, uri: str) -> int:
    """The descriptor of a regular file, to be closed by the caller.

    Raises:
        RejectedError: not a regular file.
        OSError: it cannot be opened.
    """
    # Without O_NONBLOCK a named pipe would hold the worker for ever.
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise RejectedError(Reason.MISSING_IMAGE, f"{uri}: not a file")
    return file


def max_bytes() -> int:
    """The limit of this process: that of ``limit_pictures``, of the environment, or ``MAX_BYTES``.

    Raises:
        ValueError: the environment's is not a positive whole number.
    """
    text = os.environ.get(_LIMIT_VARIABLE, "")
    if text and not (text.isdecimal() and int(text)):
        raise ValueError(f"{_LIMIT_VARIABLE} is a positive number of bytes, got {text!r}")
    return int(text) if text else MAX_BYTES


def limit_pictures(num_bytes: int) -> None:
    """Set the limit of this process and of those that it starts."""
    os.environ[_LIMIT_VARIABLE] = str(num_bytes)


def refuse_oversized(size: int, name: str) -> None:
    """Refuse a picture of more than ``max_bytes`` before memory is made for it.

    Raises:
        RejectedError: it has more.
    """
    if size > (most := max_bytes()):
        raise RejectedError(Reason.TOO_LARGE, f"{name}: {size:,} bytes, at most {most:,}")


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
