"""The folder of what is built once from a dataset and shared by every process of a machine: listings, seek tables.

The files there are not trusted: their sizes and checksums are written beside them and compared once per process. Files
that differ are built again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

_FOLDER_VARIABLE = "COLOGEN_CACHE"
_BLOCK_BYTES = 4 << 20


def folder() -> Path:
    """``$COLOGEN_CACHE``, else ``~/.cache/cologen``; it may not exist yet."""
    chosen = os.environ.get(_FOLDER_VARIABLE)
    return Path(chosen) if chosen else Path.home() / ".cache" / "cologen"


def built_once(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder ``<cache>/<kind>/<hash of key>``, filled by ``build`` if no process has done so before.

    ``build`` gets an empty folder under another name, which takes its final name when all of it is on disk; other
    processes wait meanwhile, and leftovers of a failed or killed one are removed. A folder whose files are not those
    that were written is built again.

    Raises:
        ValueError: the cache folder cannot be written.
    """
    final = folder() / kind / hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
    if _is_intact(final):
        return final
    with _locked(final.with_suffix(".lock")):
        if not _is_intact(final):
            partial = final.with_suffix(".partial")
            _clear(partial)
            partial.mkdir()
            try:
                build(partial)
                _clear(final)
                _write_sums(partial, final)
                partial.rename(final)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)  # an incomplete folder must not fill the disk
                raise
    return final


def _write_sums(folder: Path, final: Path) -> None:
    """Size and checksum of each file in ``folder``, which is about to be called ``final``, once they are on disk."""
    files = sorted(folder.iterdir())
    for path in files:
        _flush(path)
    _sums_of(final).write_text(json.dumps({path.name: _size_and_sum(path) for path in files}))


def _is_intact(folder: Path) -> bool:
    """Whether the files in ``folder`` are those that were written, byte for byte.

    A file is read whole (some 2 GB/s) when this process first sees it, and again where it was written to since.
    """
    try:
        sums = json.loads(_sums_of(folder).read_bytes())
        return sums == {path.name: _size_and_sum(path) for path in folder.iterdir()}
    except (OSError, ValueError):
        return False


def _sums_of(folder: Path) -> Path:
    return folder.with_suffix(".sums")


def _size_and_sum(path: Path) -> list[int]:
    state = path.stat()
    # The time of change cannot be set back, unlike that of writing.
    return [state.st_size, _checksum(str(path), state.st_ino, state.st_size, state.st_ctime_ns)]


@lru_cache(maxsize=1024)
def _checksum(path: str, _inode: int, _size: int, _changed_ns: int) -> int:
    """CRC-32: it detects every single changed bit, in a third of a digest's time."""
    total, block = 0, bytearray(_BLOCK_BYTES)
    with Path(path).open("rb", buffering=0) as file:
        while count := file.readinto(block):
            total = zlib.crc32(memoryview(block)[:count], total)
    return total


@contextmanager
def _locked(path: Path) -> Generator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a")
    except OSError as error:
        raise ValueError(
            f"the cache folder {path.parent} cannot be written ({error.strerror}): "
            f"set {_FOLDER_VARIABLE} to a folder that can"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
