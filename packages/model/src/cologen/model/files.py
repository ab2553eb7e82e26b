"""Files that are whole or nothing: written at once, and refused where a part of them is missing."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError

_Model = TypeVar("_Model")


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside ``path``, sync, and take its name; after a crash the old content or the new is there, never a half.

    Raises:
        OSError: no room, or no right to write; nothing is left behind.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk names no file
    finally:
        beside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name too has to survive a loss of power
    finally:
        os.close(folder)


def read_whole(kind: type[_Model], folder: Path, **options: Any) -> _Model:
    """A model of diffusers or transformers with every weight of it from ``folder``; those libraries make up the rest.

    Raises:
        ValueError: a weight is missing, or a file is damaged.
    """
    read: Any = kind
    with damage_named(folder):
        model, found = read.from_pretrained(folder, local_files_only=True, output_loading_info=True, **options)
    if missing := sorted(found["missing_keys"]):
        raise ValueError(f"{folder} lacks {len(missing)} weights, the first being {missing[0]}: copy it again")
    return model


@contextmanager
def damage_named(path: Path) -> Generator[None, None, None]:
    """A damaged file of weights, read within the block, is a ``ValueError`` that names ``path``."""
    try:
        yield
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}. Copy it again.") from error
