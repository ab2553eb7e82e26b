"""Memory that a worker process writes arrays into and this one reads: no pipe to squeeze through, nothing to clean up.

A slot is an anonymous file of the reading process, which the writer opens by its number; it is gone when the reader is,
however that ends, and shared-memory mounts that are too small do not matter. Only Linux has such files.
"""

from __future__ import annotations

import mmap
import os
import pickle
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

AVAILABLE = hasattr(os, "memfd_create")


@dataclass(frozen=True, slots=True)
class Letter:
    """What a worker sends of a result: all but its arrays, and how many bytes of the slot each of them takes."""

    content: bytes
    lengths: tuple[int, ...]


@dataclass(slots=True)
class Slot:
    """One file of the reader's, as large as the largest result so far."""

    _file: int = field(init=False)
    _mapped: mmap.mmap | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._file = os.memfd_create("cologen", os.MFD_CLOEXEC)

    @property
    def path(self) -> str:
        """Where other processes of the same user find it."""
        return f"/proc/{os.getpid()}/fd/{self._file}"

    def read(self, letter: Letter) -> Any:
        """The result, its arrays lying in the slot: they change when the slot is written again."""
        needed = sum(letter.lengths)
        if needed and (self._mapped is None or len(self._mapped) < needed):
            self._mapped = mmap.mmap(self._file, needed)
        parts = list[memoryview]()
        start = 0
        for length in letter.lengths:
            parts.append(memoryview(self._mapped or bytearray())[start : start + length])
            start += length
        return pickle.loads(letter.content, buffers=parts)

    def close(self) -> None:
        """Give the memory back, as soon as no array lies in it."""
        self._mapped = None
        os.close(self._file)


def write(path: str, result: Any) -> Letter:
    """Put a result's arrays into the slot at ``path``, which grows where it is too small."""
    buffers = list[pickle.PickleBuffer]()
    content = pickle.dumps(result, protocol=5, buffer_callback=buffers.append)
    parts = [buffer.raw() for buffer in buffers]
    lengths = tuple(len(part) for part in parts)
    if sum(lengths):
        with Path(path).open("r+b", buffering=0) as file:
            for part in parts:
                _write_all(file, part)
    return Letter(content, lengths)


def _write_all(file: FileIO, part: memoryview) -> None:
    """A single write may stop at 2 GiB."""
    while len(part):
        part = part[file.write(part) :]
