"""Random access to members of tar files, plain or gzip, by name: a file is scanned once and its table is kept.

Gzip cannot be read from the middle, so ``indexed_gzip`` stores a seek point every few megabytes. The seek points and
the table of members are kept in the cache folder; scanning 16 GB takes minutes, once per machine. What a file is
compressed with is read from its first bytes, not from its name.
"""

from __future__ import annotations

import io
import os
import tarfile
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import cast

import indexed_gzip
import pyarrow as pa

from cologen.datagen import cache
from cologen.datagen.images import addresses
from cologen.datagen.images.tar_members import BrokenArchiveError, Readable, members
from cologen.datagen.records import Reason, RejectedError

_GZIP = b"\x1f\x8b"
_FOREIGN = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
}
_HEAD_BYTES = 8
_VERSION = 3
# A read inflates half of this on average (some 10 ms); each point keeps 32 KB, 0.4% of the archive.
_SEEK_POINT_BYTES = 8 << 20
# indexed_gzip starts from a seek point at every raw read: a picture should be one raw read, not two.
_BUFFER_BYTES = 2 << 20
# An open archive of 16 GB keeps some 70 MB of seek points in memory.
_OPEN_ARCHIVES = 4
_MEMBERS, _SEEK_POINTS = "members.arrow", "seek.gzidx"
_SCHEMA = pa.schema([("name", pa.string()), ("offset", pa.int64()), ("size", pa.int64()), ("fault", pa.string())])
# Beyond every end, and within the 63 bits of an offset.
_FAR = 1 << 62

_Row = tuple[int, int, str | None]
"""Offset and size in bytes, and what the member is if it is no file that can be read."""


def read_member(path: str, name: str) -> bytes:
    """The bytes of member ``name`` of the archive at ``path``; both names as ``local_files.normal`` gives them.

    A hard link in the archive is the file that it links to.

    Raises:
        FileNotFoundError: there is no archive.
        RejectedError: it is no such archive, has no such file, or breaks off before its end; or the file is too large.
        OSError: the disk fails.
    """
    state = Path(path).stat()
    return _opened(path, state.st_size, state.st_mtime_ns).read(name)


class _Archive:
    def __init__(self, path: str, size: int, changed_ns: int) -> None:
        self._file = _File(path)
        self._is_gzip = _is_gzip(self._file)
        key = f"{_VERSION}|{Path(path).absolute()}|{size}|{changed_ns}"
        folder = cache.built_once("archives", key, partial(_build, self._file, self._is_gzip))
        table = pa.ipc.open_file(folder / _MEMBERS).read_all()
        names, *columns = (column.to_pylist() for column in table.columns)
        self._found: dict[str, _Row] = dict(zip(names, zip(*columns, strict=True), strict=True))
        self._broken = cast(bytes, table.schema.metadata[b"broken"]).decode()
        # An archive that broke off at once has no seek points to open.
        self._read = self._reader(folder / _SEEK_POINTS) if self._found else None

    def read(self, name: str) -> bytes:
        found = self._found.get(name)
        if found is None or self._read is None:
            raise RejectedError(Reason.MISSING_IMAGE, self._broken or f"the archive has no member {name}")
        offset, size, fault = found
        if fault:
            raise RejectedError(Reason.MISSING_IMAGE, f"{name} in the archive is {fault}, not a file")
        addresses.refuse_oversized(size, name)
        with _faults_of_gzip(name):
            return self._read(size, offset)

    def _reader(self, seek_points: Path) -> Callable[[int, int], bytes]:
        """A function of (size, offset)."""
        if not self._is_gzip:
            return self._file.pread
        return indexed_gzip.IndexedGzipFile(
            fileobj=self._file, index_file=str(seek_points), buffer_size=_BUFFER_BYTES
        ).pread  # fmt: skip


@lru_cache(maxsize=_OPEN_ARCHIVES)
def _opened(path: str, size: int, changed_ns: int) -> _Archive:
    return _Archive(path, size, changed_ns)


class _File(io.RawIOBase):
    """An open regular file whose place belongs to this object: processes that were forked do not move each other's."""

    def __init__(self, path: str) -> None:
        self.name, self._place = Path(path).name, 0
        self._descriptor = addresses.open_regular(path, self.name)
        weakref.finalize(self, os.close, self._descriptor)

    @property
    def length(self) -> int:
        """Bytes."""
        return os.fstat(self._descriptor).st_size

    def pread(self, size: int, offset: int) -> bytes:
        """As of ``indexed_gzip``."""
        return addresses.read_span(self._descriptor, offset, size)

    def read(self, size: int = -1, /) -> bytes:
        data = self.pread(size if size >= 0 else max(0, self.length - self._place), self._place)
        self._place += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.length}[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _is_gzip(file: _File) -> bool:
    """Whether the archive is compressed.

    Raises:
        RejectedError: it is, with something else than gzip, or it is another kind of archive.
    """
    head = file.pread(_HEAD_BYTES, 0)
    for signature, kind in _FOREIGN.items():
        if head.startswith(signature):
            detail = f"{file.name} is a {kind} archive: pack it anew as tar, or as tar with gzip"
            raise RejectedError(Reason.UNSUPPORTED_ARCHIVE, detail)
    return head.startswith(_GZIP)


def _build(file: _File, is_gzip: bool, folder: Path) -> None:
    if not is_gzip:
        _write_members(file.name, folder, *_list_members(file), file.length)
        return
    with indexed_gzip.IndexedGzipFile(fileobj=file, spacing=_SEEK_POINT_BYTES) as unpacked:
        rows, broken = _list_members(unpacked)
        _write_members(file.name, folder, rows, broken, _end(unpacked))
        unpacked.export_index(str(folder / _SEEK_POINTS))


@contextmanager
def _faults_of_gzip(name: str) -> Generator[None]:
    """Within the block, errors of reading gzip are raised as those of the file itself, or as rejections."""
    try:
        yield
    except indexed_gzip.ZranError as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"{name}: {error}") from None
    except OSError as error:
        if error.errno is not None:
            raise
        # Its buffered reader takes the code of a wrong checksum for a number of bytes.
        raise RejectedError(Reason.TRUNCATED_IMAGE, f"{name}: damaged data, or its checksum is wrong") from None


def _end(unpacked: indexed_gzip.IndexedGzipFile) -> int:
    """How many bytes can be unpacked."""
    try:
        with _faults_of_gzip(""):
            return unpacked.seek(_FAR)
    except RejectedError:
        return unpacked.tell()


def _list_members(file: Readable) -> tuple[dict[str, _Row], str]:
    """Every member of the archive by its name, the last one of several, and what is wrong with it, if anything.

    A download cut short loses only its end, and a damaged header only its member.
    """
    rows: dict[str, _Row] = {}
    try:
        with _faults_of_gzip("gzip"):
            for member, _ in members(file):
                name = _normal(member.name)
                if name is not None and not member.isdir():
                    rows[name] = _row(member, rows)
    except BrokenArchiveError as error:
        return rows, str(error)
    except RejectedError as error:
        return rows, error.detail
    return rows, ""


def _row(member: tarfile.TarInfo, before: dict[str, _Row]) -> _Row:
    if member.issparse():
        return 0, 0, "a sparse file"
    if member.isreg():
        return member.offset_data, min(member.size, _FAR), None
    if member.islnk():
        # Tar writes the content once, under the name that comes first.
        return before.get(_normal(member.linkname) or "", (0, 0, f"a link to {member.linkname!a}, which is not there"))
    return 0, 0, "a symbolic link" if member.issym() else "a device"


def _normal(name: str) -> str | None:
    """The name as addresses have it; None for one that no address can have."""
    try:
        return addresses.normal(name)
    except RejectedError:
        return None


def _write_members(archive: str, folder: Path, rows: dict[str, _Row], broken: str, end: int) -> None:
    whole = {name: row for name, row in rows.items() if row[0] + row[1] <= end}
    if len(whole) < len(rows) and not broken:
        broken = "cut short: the last member goes beyond the end"
    if broken:
        broken = f"{archive} is damaged or cut short, {len(whole)} of its members can be read: {broken}"
    columns = [list(column) for column in zip(*((name, *row) for name, row in whole.items()), strict=True)]
    table = pa.table(columns or [[]] * len(_SCHEMA), schema=_SCHEMA.with_metadata({"broken": broken}))
    with pa.ipc.new_file(folder / _MEMBERS, table.schema) as writer:
        writer.write_table(table)
