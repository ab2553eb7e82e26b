"""Atomic file writes; strict loading of weights."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError

_Model = TypeVar("_Model")


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file beside ``path`` and rename it: after a crash the old content is there or the new, complete.

    Args:
        durable: whether the new content also survives a power failure; files that are checked when read need not.

    Raises:
        OSError: the disk is full or the folder not writable; no temporary file remains.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # the error of a full disk names no file
    finally:
        beside.unlink(missing_ok=True)
    if durable:
        sync(path.parent)  # the rename has to survive too


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def parts_of(folder: Path, names: Sequence[str], kind: str) -> dict[str, Path]:
    """The folders of these names in that of a base, of a ``kind`` that is named if one is missing.

    Raises:
        FileNotFoundError: one of them is not there.
    """
    parts = {name: folder / name for name in names}
    if missing := [name for name, path in parts.items() if not path.is_dir()]:
        raise FileNotFoundError(f"{folder} has no {', '.join(missing)}: not a whole {kind} folder")
    return parts


def read_whole(kind: type[_Model], folder: Path, **options: Any) -> _Model:
    """A model of diffusers or transformers from ``folder``; a missing weight, which they would initialise, is an error.

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
    """Within the block, reading a damaged file of weights raises a ``ValueError`` that names ``path``."""
    try:
        yield
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}. Copy it again.") from error
