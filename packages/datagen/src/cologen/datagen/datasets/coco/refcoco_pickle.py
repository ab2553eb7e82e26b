"""Opens RefCOCO's pickles with an unpickler that admits only containers, text and numbers.

A pickle is code: it may name any function and call it. This unpickler refuses every name.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import warnings
from pathlib import Path
from typing import Any, NoReturn

_EXTENSIONS = frozenset({"EXT1", "EXT2", "EXT4"})
_MEMOS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})

# What the unpickler raises on bytes that are no pickle, or that call and build on what is only data.
_DAMAGED = (
    pickle.UnpicklingError,
    ValueError,
    EOFError,
    TypeError,
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    MemoryError,
)


class _RefusedError(Exception):
    """The pickle holds more than data."""


class _PlainUnpickler(pickle.Unpickler):
    """Admits what pickle builds without looking anything up: containers, text, bytes, numbers, None."""

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise _RefusedError(f"names {module_name}.{global_name}")

    def persistent_load(self, pid: Any, /) -> NoReturn:
        raise _RefusedError(f"holds the persistent id {ascii(pid)[:60]}")


def load(path: Path) -> Any:
    """What the pickle holds; the 8-bit strings of Python 2 are read as Latin-1.

    Raises:
        ValueError: not a pickle, or one that names a class or function, a persistent id or an extension code.
    """
    data = path.read_bytes()
    try:
        with warnings.catch_warnings():
            # Python 2 wrote strings with escapes that today's Python warns of; they stand for themselves.
            warnings.simplefilter("ignore", DeprecationWarning)
            _refuse_hostile(data)
            return _PlainUnpickler(io.BytesIO(data), encoding="latin1").load()
    except _RefusedError as error:
        message = f"{path}: this pickle {error}, which could run code: expected lists, dicts, text and numbers alone"
    except _DAMAGED as error:
        message = f"{path}: not a whole pickle of lists, dicts, text and numbers: {error}"
    raise ValueError(message)


def _refuse_hostile(data: bytes) -> None:
    """Refuse what the unpickler does without calling ``find_class``.

    An extension code that the process has met before is taken from a cache, past ``find_class``. The memo table is
    allocated as long as the largest index in it: 12 bytes could ask for gigabytes.
    """
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in _EXTENSIONS:
            raise _RefusedError(f"holds the extension code {argument}")
        if opcode.name in _MEMOS and isinstance(argument, int) and argument > len(data):
            raise ValueError(f"it numbers an object {argument} in {len(data)} bytes")
