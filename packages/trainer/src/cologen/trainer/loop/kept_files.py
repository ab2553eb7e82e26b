"""Tensors kept in files by key: compressed without loss, checked when read, and bounded on disk.

A file is a safetensors file of compressed bytes. Its metadata holds each tensor's form and a sum over everything, so
that a file that was changed, truncated or copied to another key is never used, but made again.

Compression matters for text: FLUX attends to the padding of a prompt, and T5 gives every padded position a vector of
its own, so none of them may be left out. Neighbouring ones are nearly equal, so each row is stored as what differs
from the row before (XOR of the bits), and rows that are equal take no space.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from cologen.model.files import write_atomically

_LOG = logging.getLogger(__name__)

MIN_FREE = 0.1
"""The share of the disk that stays free: with less, nothing more is kept."""

_INTEGERS = {
    1: (torch.uint8, np.uint8),
    2: (torch.int16, np.uint16),
    4: (torch.int32, np.uint32),
    8: (torch.int64, np.uint64),
}
_SUFFIX = ".safetensors"
_USED = ".used"
_BLOCK = 4096


@dataclass(slots=True)
class Kept:
    """Tensors on disk by key.

    Args:
        folder: of the files.
        bounded: the folder that ``limit`` applies to, if several share one; default: ``folder``.
        limit: bytes that it may take on disk; None: no bound. A file that would exceed it is not written. The count is
            shared by all processes of the machine; each process counts the disk anew at its first write.
    """

    folder: Path
    bounded: Path | None = None
    limit: int | None = None
    _writable: bool = field(init=False, default=True)
    _counted: bool = field(init=False, default=False)
    _num_damaged: int = field(init=False, default=0)

    def read(self, key: str) -> dict[str, Tensor] | None:
        """The tensors of a key, on the CPU; None: not kept, or damaged, which is logged once."""
        path = self.path(key)
        try:
            return _unpacked(key, path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, _DamagedError) as error:
            self._num_damaged += 1
            if self._num_damaged == 1:
                _LOG.warning("%s is not used and made again: %s (said once)", path, error)
            return None

    def has(self, key: str) -> bool:
        """Whether there is a file of this key, damaged or not."""
        return self.path(key).is_file()

    def write(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep them if there is room. Why nothing more is kept is logged once."""
        if not self._writable:
            return
        try:
            self.put(key, tensors)
        except OSError as error:
            self._writable = False
            _LOG.warning(
                "nothing more is kept in %s: %s. What is there is still read, all else is encoded again (said once)",
                self.folder,
                error.strerror or error,
            )

    def put(self, key: str, tensors: Mapping[str, Tensor]) -> int:
        """Keep them, and return the bytes that they take on disk; the file appears at once.

        Raises:
            OSError: there is no room, or the folder cannot be written.
        """
        data = _packed(key, tensors)
        self._write(self.path(key), data)
        return _on_disk(len(data))

    def sizes(self) -> dict[str, int]:
        """The bytes on disk of each key."""
        found = self.folder.glob(f"??/[!.]*{_SUFFIX}")
        return {path.name.removesuffix(_SUFFIX): _on_disk(path.stat().st_size) for path in found}

    def sweep(self) -> None:
        """Delete the incomplete files of killed processes; no other process may write meanwhile."""
        for path in self.folder.glob(f"??/.*{_SUFFIX}.*"):
            path.unlink(missing_ok=True)

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        disk = shutil.disk_usage(path.parent)
        if disk.free < MIN_FREE * disk.total:
            raise OSError(errno.ENOSPC, f"less than {MIN_FREE:.0%} of the disk is free")
        if self.limit is None:
            write_atomically(path, data, durable=False)
        else:
            self._write_bounded(path, data, self.bounded or self.folder, self.limit)

    def _write_bounded(self, path: Path, data: bytes, bounded: Path, limit: int) -> None:
        """Under a lock, since the bound is that of all processes together."""
        with (bounded / _USED).open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            stated = file.read().strip()
            used = int(stated) if self._counted and stated.isdigit() else _used_by(bounded)
            grown = used - (_on_disk(path.stat().st_size) if path.exists() else 0) + _on_disk(len(data))
            self._counted = True
            if grown > limit:
                raise OSError(
                    errno.EDQUOT,
                    f"{bounded} has reached its bound of {limit / 1e9:g} GB (cache_gb; of stored text "
                    "--max-gb); delete it or raise the bound to keep more",
                )
            write_atomically(path, data, durable=False)
            file.truncate(0)
            file.write(str(grown))

    def path(self, key: str) -> Path:
        """Where a key's tensors are, if they are kept."""
        return self.folder / key[:2] / f"{key}{_SUFFIX}"


class _DamagedError(Exception):
    """Not what was written."""


def _packed(key: str, tensors: Mapping[str, Tensor]) -> bytes:
    forms = {
        name: {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape)}
        for name, tensor in sorted(tensors.items())
    }
    packed = {name: torch.frombuffer(bytearray(compressed(tensors[name])), dtype=torch.uint8) for name in forms}
    return save(packed, {"about": json.dumps({"forms": forms, "sum": _sum(key, forms, packed)})})


def _unpacked(key: str, data: bytes) -> dict[str, Tensor]:
    try:
        packed = load(data)
        header: Any = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        about: Any = json.loads(header["__metadata__"]["about"])
        forms, stated = about["forms"], about["sum"]
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _DamagedError(f"it cannot be read ({type(error).__name__})") from error
    if stated != _sum(key, forms, packed):
        raise _DamagedError("its bytes are not those that were written")
    return {
        name: decompressed(bytes(packed[name].numpy()), getattr(torch, form["dtype"]), form["shape"])
        for name, form in forms.items()
    }


def _sum(key: str, forms: Any, packed: Mapping[str, Tensor]) -> str:
    found = hashlib.blake2b(f"{key} {json.dumps(forms)}".encode(), digest_size=16)
    for name in sorted(packed):
        found.update(name.encode() + packed[name].numpy().tobytes())
    return found.hexdigest()


def compressed(tensor: Tensor) -> bytes:
    """The bytes of a tensor, each row (of its last axis) as its difference to the row before, compressed by zstd."""
    as_torch, as_numpy = _INTEGERS[tensor.element_size()]
    whole = tensor.detach().cpu().contiguous().reshape(_rows_and_columns(tensor.shape))
    rows = whole.view(as_torch).numpy().view(as_numpy)
    changes = rows.copy()
    changes[1:] ^= rows[:-1]
    # All high bytes together, then all low ones: the high ones hardly change.
    planes = changes.view(np.uint8).reshape(*rows.shape, tensor.element_size()).transpose(2, 0, 1)
    return pa.Codec("zstd").compress(planes.tobytes(), asbytes=True)


def decompressed(data: bytes, dtype: torch.dtype, shape: Sequence[int]) -> Tensor:
    """The tensor of ``compressed``, bit for bit."""
    size = dtype.itemsize
    rows, columns = _rows_and_columns(shape)
    raw = pa.Codec("zstd").decompress(data, size * rows * columns, asbytes=True)
    planes = np.frombuffer(raw, np.uint8).reshape(size, rows, columns)
    as_torch, as_numpy = _INTEGERS[size]
    changes = np.ascontiguousarray(planes.transpose(1, 2, 0)).view(as_numpy)[..., 0]
    found = np.bitwise_xor.accumulate(changes, axis=0)
    return torch.from_numpy(found.view(f"i{size}" if size > 1 else np.uint8)).view(as_torch).view(dtype).reshape(shape)


def _rows_and_columns(shape: Sequence[int]) -> tuple[int, int]:
    return math.prod(shape[:-1]), shape[-1] if shape else 1


def _used_by(folder: Path) -> int:
    """Bytes on disk of all files below a folder."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += _on_disk(Path(parent, name).stat().st_size)
            except FileNotFoundError:  # deleted by another process meanwhile
                continue
    return total


def _on_disk(length: int) -> int:
    """What a file of so many bytes takes, in whole blocks."""
    return -(-length // _BLOCK) * _BLOCK
