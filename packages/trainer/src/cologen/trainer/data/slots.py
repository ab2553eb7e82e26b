"""Shared memory in which a worker makes arrays and this process reads them, without copies.

A slot is an anonymous file of the reading process, which the writer opens by its number. It disappears with the reader,
however that ends, and does not need a shared-memory mount. Only Linux has such files.
"""

from __future__ import annotations

import mmap
import os
import pickle
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import UInt8

AVAILABLE = hasattr(os, "memfd_create")

_ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class Letter:
    """A worker's message: a result without its arrays, and their positions in the slot (offset, length)."""

    content: bytes
    spans: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Slot:
    """The reader's end. It is ``free`` to be written as soon as all arrays of the last result are gone."""

    free: bool = field(init=False, default=True)
    _file: int = field(init=False)
    _mapped: mmap.mmap | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._file = os.memfd_create("cologen", os.MFD_CLOEXEC)

    @property
    def path(self) -> str:
        """Its path, for other processes of the same user."""
        return f"/proc/{os.getpid()}/fd/{self._file}"

    def read(self, letter: Letter) -> Any:
        """The result, with arrays that are views of the slot."""
        needed = max((offset + length for offset, length in letter.spans), default=0)
        if self._mapped is None or len(self._mapped) < needed:
            self._mapped = mmap.mmap(self._file, needed) if needed else None
        whole = np.frombuffer(self._mapped or bytearray(), np.uint8)
        weakref.finalize(whole, self._set_free).atexit = False
        return pickle.loads(letter.content, buffers=[whole[start : start + length] for start, length in letter.spans])

    def close(self) -> None:
        """Free the memory, as soon as no array uses it."""
        self._mapped = None
        os.close(self._file)

    def _set_free(self) -> None:
        self.free = True


class Writer:
    """The writer's end of the slots of one reader."""

    def __init__(self) -> None:
        self._sheets = dict[str, _Sheet]()

    @contextmanager
    def writing(self, path: str) -> Generator[_Sheet, None, None]:
        """Within the block, ``empty`` gives memory of the slot at ``path``."""
        global _current  # the arrays of a result are allocated deep inside the call that computes it
        if path not in self._sheets:
            self._sheets[path] = _Sheet(path)
        _current = self._sheets[path]
        _current.clear()
        try:
            yield _current
        finally:
            _current = None


def empty(shape: tuple[int, ...]) -> UInt8[np.ndarray, "..."]:
    """Memory for an array of a result: in the slot that is being written, or anywhere if there is none."""
    return np.empty(shape, np.uint8) if _current is None else _current.empty(shape)


class _Sheet:
    """One slot."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDWR)
        self._whole = np.empty(0, np.uint8)
        self._filled = 0
        self._lent = dict[int, int]()

    def clear(self) -> None:
        """Start again at the beginning: everything written before has been read."""
        self._filled = 0
        self._lent.clear()

    def empty(self, shape: tuple[int, ...]) -> UInt8[np.ndarray, "..."]:
        """The next free piece of the slot, which grows where it is too small."""
        offset = -(-self._filled // _ALIGNMENT) * _ALIGNMENT
        length = int(np.prod(shape))
        self._filled = offset + length
        if self._filled > len(self._whole):
            os.ftruncate(self._file, self._filled)
            self._whole = np.frombuffer(mmap.mmap(self._file, self._filled), np.uint8)
        found = self._whole[offset : self._filled].reshape(shape)
        self._lent[found.ctypes.data] = offset
        return found

    def letter(self, result: Any) -> Letter:
        """A result to be sent; arrays outside the slot are copied into it."""
        buffers = list[pickle.PickleBuffer]()
        content = pickle.dumps(result, protocol=5, buffer_callback=buffers.append)
        return Letter(content, tuple(self._span(np.frombuffer(buffer.raw(), np.uint8)) for buffer in buffers))

    def _span(self, part: UInt8[np.ndarray, "bytes"]) -> tuple[int, int]:
        address = part.ctypes.data
        if address not in self._lent:
            into = self.empty(part.shape)
            into[:] = part
            address = into.ctypes.data
        return self._lent[address], len(part)


_current: _Sheet | None = None
