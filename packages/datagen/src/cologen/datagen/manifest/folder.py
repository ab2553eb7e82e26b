"""A folder to write into, on a local disk or any pyarrow filesystem URI: atomic files, and a lock on the whole.

A file gets its name only when it is complete. Leftovers of a killed process have names that start with a dot, and are
removed by the next process that holds the lock.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pyarrow import fs

_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")

LOCK_NAME = ".lock"
LEASE_SECONDS = 120  # a remote lock that was not renewed for so long belongs to a dead process
_OBJECT_STORES = ("s3", "gcs", "abfs")


def require_local(path: str | Path, option: str) -> None:
    """Refuse a URI such as ``s3://bucket/folder`` (``s3:/bucket/folder`` as a path) where files of a disk are read.

    Raises:
        ValueError: it is one; the message names the option.
    """
    if _REMOTE.match(str(path)) and not Path(path).exists():
        raise ValueError(f"{option} must be a folder on a disk of this machine, got {path}: copy or mount it first")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder on a pyarrow filesystem; names inside it are plain file names or ``subfolder/name``."""

    filesystem: fs.FileSystem = field(hash=False)
    path: str

    @classmethod
    def open(cls, uri: str | Path) -> Folder:
        """The folder of a local path or a URI such as ``s3://bucket/folder``; nothing is created yet."""
        if "://" in str(uri):
            filesystem, path = fs.FileSystem.from_uri(str(uri))
            return cls(filesystem, path.rstrip("/"))
        return cls(fs.LocalFileSystem(), str(Path(uri).absolute()))

    def __str__(self) -> str:
        return self.path

    @property
    def is_local(self) -> bool:
        """Whether the files are on a disk of this machine (or one mounted here)."""
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def sibling(self, suffix: str) -> Folder:
        """The folder beside this one whose name goes on with ``suffix``."""
        return Folder(self.filesystem, f"{self.path}{suffix}")

    def create(self) -> None:
        """Make the folder and its parents.

        Raises:
            ValueError: it cannot be made or written into; the message says why.
        """
        try:
            self.filesystem.create_dir(self.path, recursive=True)
            if self.is_local and not os.access(self.path, os.W_OK):
                raise PermissionError("no permission to write")
        except OSError as error:
            raise ValueError(f"cannot write into {self.path}: {error}. Choose another --out.") from error

    def names(self) -> list[str]:
        """The names of the files and folders directly inside, sorted; none if the folder does not exist."""
        selector = fs.FileSelector(self.path, allow_not_found=True)
        return sorted(info.base_name for info in self.filesystem.get_file_info(selector))

    def exists(self, name: str) -> bool:
        """Whether a file of this name is there, whole."""
        return self.filesystem.get_file_info(f"{self.path}/{name}").type == fs.FileType.File

    def read(self, name: str) -> bytes:
        """All bytes of a file.

        Raises:
            FileNotFoundError: there is none.
        """
        with self.filesystem.open_input_stream(f"{self.path}/{name}") as stream:
            return stream.read()

    def write(self, name: str, data: bytes) -> None:
        """Put a file there at once, replacing one of the same name; durable on a local disk when this returns."""
        if self.is_local:
            _write_local(Path(self.path, name), data)
            return
        # Object stores show an object only when its upload is complete; elsewhere a rename does that.
        whole = self.filesystem.type_name in _OBJECT_STORES
        written = name if whole else _temporary(name)
        with self.filesystem.open_output_stream(f"{self.path}/{written}") as stream:
            stream.write(data)
        if not whole:
            self.filesystem.move(f"{self.path}/{written}", f"{self.path}/{name}")

    def delete(self, name: str) -> None:
        """Remove a file or a folder with all it holds."""
        info = self.filesystem.get_file_info(f"{self.path}/{name}")
        if info.type == fs.FileType.Directory:
            self.filesystem.delete_dir(info.path)
        elif info.type == fs.FileType.File:
            self.filesystem.delete_file(info.path)

    def sweep(self) -> None:
        """Remove the temporary files of killed writers; only while holding the lock."""
        for name in self.names():
            if name.startswith(".") and name.endswith(".tmp"):
                self.delete(name)

    @contextmanager
    def locked(self, doing: str = "building into") -> Generator[None, None, None]:
        """Hold the folder against every other process that locks it until the block ends; ``doing`` is for its message.

        A local lock is the kernel's and ends with the process, however it dies. A remote one is a lease, renewed while
        the block runs; two builders that start within the same second may both pass.

        Raises:
            ValueError: another process holds it; the message names the process.
        """
        with _file_lock(Path(self.path, LOCK_NAME), doing) if self.is_local else _lease(self, doing):
            yield


def _temporary(name: str) -> str:
    """A name beside ``name`` that no other writer uses."""
    folder, _, base = name.rpartition("/")
    return f"{folder}{'/' if folder else ''}.{base}.{secrets.token_hex(6)}.tmp"


def _write_local(path: Path, data: bytes) -> None:
    temporary = path.with_name(_temporary(path.name))
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # the rename itself has to survive a power cut
    finally:
        os.close(descriptor)


def _owner() -> dict[str, str | int]:
    return {"host": socket.gethostname(), "pid": os.getpid()}


def _taken(folder: str | Path, holder: str, doing: str) -> ValueError:
    return ValueError(f"another process is {doing} {folder}: {holder}. Wait for it, or choose another --out.")


@contextmanager
def _file_lock(path: Path, doing: str) -> Generator[None, None, None]:
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise _taken(path.parent, file.read(), doing) from error
        file.truncate(0)
        file.write(json.dumps(_owner()))
        file.flush()
        yield


@contextmanager
def _lease(folder: Folder, doing: str) -> Generator[None, None, None]:
    if folder.exists(LOCK_NAME):
        holder = folder.read(LOCK_NAME).decode(errors="replace")
        try:
            age = time.time() - json.loads(holder)["renewed"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{folder}/{LOCK_NAME} is not a lock: delete it if nothing builds there") from error
        if age < LEASE_SECONDS:
            raise _taken(folder.path, holder, doing)
    released = threading.Event()

    def renew() -> None:
        folder.write(LOCK_NAME, json.dumps(_owner() | {"renewed": time.time()}).encode())

    def keep_renewing() -> None:
        while not released.wait(LEASE_SECONDS / 4):
            renew()

    renew()
    thread = threading.Thread(target=keep_renewing, daemon=True)
    thread.start()
    try:
        yield
    finally:
        released.set()
        thread.join()
        folder.delete(LOCK_NAME)
