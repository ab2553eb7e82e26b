"""The folder of what is built once from a dataset and shared by every process of a machine: listings, seek tables."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

_FOLDER_VARIABLE = "COLOGEN_CACHE"


def folder() -> Path:
    """``$COLOGEN_CACHE``, else ``~/.cache/cologen``; it may not exist yet."""
    chosen = os.environ.get(_FOLDER_VARIABLE)
    return Path(chosen) if chosen else Path.home() / ".cache" / "cologen"


def built_once(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder ``<cache>/<kind>/<hash of key>``, filled by ``build`` if no process has done so before.

    ``build`` gets an empty folder under another name, which takes its final name when all of it is on disk; other
    processes wait meanwhile, and what a killed one left is thrown away.

    Raises:
        ValueError: the cache folder cannot be written.
    """
    final = folder() / kind / hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
    if final.is_dir():
        return final
    with _locked(final.with_suffix(".lock")):
        if not final.is_dir():
            partial = final.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            build(partial)
            for path in partial.iterdir():
                _flush(path)
            partial.rename(final)
    return final


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


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
