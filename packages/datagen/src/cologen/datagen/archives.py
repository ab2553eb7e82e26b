"""Members of ``.tar`` and ``.tgz`` files by name, at random: an archive is gone through once and its table kept.

Gzip cannot be entered in the middle, so ``indexed_gzip`` notes a point every few megabytes from which to go on. The
notes and the table of members lie in the cache folder; going through 16 GB takes minutes, once per machine.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import cast

import indexed_gzip
import pyarrow as pa

from cologen.datagen import cache
from cologen.datagen.records import Reason, RejectedError

_VERSION = 1
# A read inflates half of this on average (some 10 ms); each point keeps 32 KB, 0.4% of the archive.
_SEEK_POINT_BYTES = 8 << 20
# indexed_gzip starts from a seek point at every raw read: a picture should be one raw read, not two.
_BUFFER_BYTES = 2 << 20
# An open archive of 16 GB keeps some 70 MB of seek points in memory.
_OPEN_ARCHIVES = 4
_MEMBERS, _SEEK_POINTS = "members.arrow", "seek.gzidx"
_SCHEMA = pa.schema([("name", pa.string()), ("offset", pa.int64()), ("size", pa.int64())])


def read_member(path: str, name: str) -> bytes:
    """The bytes of member ``name`` of the archive at ``path``; a leading ``./`` in the archive does not count.

    Raises:
        FileNotFoundError: there is no archive.
        RejectedError: it has no such member, or breaks off before it.
    """
    state = Path(path).stat()
    return _opened(path, state.st_size, state.st_mtime_ns).read(name)


class _Archive:
    def __init__(self, path: str, size: int, changed_ns: int) -> None:
        key = f"{_VERSION}|{Path(path).absolute()}|{size}|{changed_ns}"
        folder = cache.built_once("archives", key, partial(_build, path))
        table = pa.ipc.open_file(folder / _MEMBERS).read_all()
        names, *places = (column.to_pylist() for column in table.columns)
        self._places: dict[str, tuple[int, int]] = dict(zip(names, zip(*places, strict=True), strict=True))
        self._broken = cast(bytes, table.schema.metadata[b"broken"]).decode()
        # An archive that broke off at once has no seek points to open.
        self._read = _reader(path, folder / _SEEK_POINTS) if self._places else None

    def read(self, name: str) -> bytes:
        place = self._places.get(name)
        if place is None or self._read is None:
            raise RejectedError(Reason.MISSING_IMAGE, self._broken or f"the archive has no member {name}")
        offset, size = place
        try:
            return self._read(size, offset)
        except indexed_gzip.ZranError as error:
            raise RejectedError(Reason.TRUNCATED_IMAGE, f"{name}: {error}") from None


@lru_cache(maxsize=_OPEN_ARCHIVES)
def _opened(path: str, size: int, changed_ns: int) -> _Archive:
    return _Archive(path, size, changed_ns)


def _reader(path: str, seek_points: Path) -> Callable[[int, int], bytes]:
    """A function of (size, offset)."""
    if path.endswith(".tar"):
        return partial(_read_plain, Path(path))
    # It opens the file anew at every read, so a forked process does not move its parent's place.
    return indexed_gzip.IndexedGzipFile(path, index_file=str(seek_points), buffer_size=_BUFFER_BYTES).pread


def _read_plain(path: Path, size: int, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _build(path: str, folder: Path) -> None:
    if path.endswith(".tar"):
        with Path(path).open("rb") as file:
            _write_members(folder, *_list_members(file))
    else:
        with indexed_gzip.IndexedGzipFile(path, spacing=_SEEK_POINT_BYTES) as file:
            _write_members(folder, *_list_members(file))
            file.export_index(str(folder / _SEEK_POINTS))


def _list_members(file: io.BufferedReader) -> tuple[list[dict[str, object]], str]:
    """Name, offset and size of every file in the archive, and what broke it off, if anything."""
    rows: list[dict[str, object]] = []
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                if member.isreg():
                    name = member.name.removeprefix("./")
                    rows.append({"name": name, "offset": member.offset_data, "size": member.size})
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        # What came before the break is good: a download cut short loses only its end.
        return rows, f"the archive breaks off after {len(rows)} members: {error}"
    return rows, ""


def _write_members(folder: Path, rows: list[dict[str, object]], broken: str) -> None:
    schema = _SCHEMA.with_metadata({"broken": broken})
    with pa.ipc.new_file(folder / _MEMBERS, schema) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=schema))
