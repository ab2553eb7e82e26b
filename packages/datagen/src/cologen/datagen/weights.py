"""Loads original checkpoint files into networks, strictly: no code in them is run, no weight may be missing."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

StateDict = dict[str, Tensor]

# What torch and the networks' own packages raise on files that were damaged or made to do harm.
_DAMAGED = (
    pickle.UnpicklingError, zipfile.BadZipFile, struct.error, EOFError, OSError, RuntimeError, ArithmeticError,
    AssertionError, AttributeError, ImportError, LookupError, MemoryError, SafetensorError, TypeError, ValueError,
)  # fmt: skip
_MAX_MESSAGE = 300  # characters


def device_named(name: str) -> torch.device:
    """The device of that name; ``auto`` is the GPU where there is one, else the CPU.

    Raises:
        ValueError: it is a GPU that this machine does not have.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"no CUDA device {name} on this machine, which has {torch.cuda.device_count()}: use --device cpu"
        )
    return device


def read_state_dict(checkpoint: Path) -> StateDict:
    """The tensors of a ``.pth`` file by name: the file's own dict or its ``model``, ``module.`` prefixes removed.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint of tensors alone.
    """
    if not checkpoint.is_file():
        raise FileNotFoundError(f"no checkpoint at {checkpoint}")
    with named(checkpoint, "is not a checkpoint of tensors alone"):
        content = _loaded(checkpoint)
    state = content.get("model", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{checkpoint} holds no tensors by name, expected a state dict or one under 'model'")
    with named(checkpoint, "is not a checkpoint of tensors alone"):
        for name, value in state.items():
            if value.layout != torch.strided or value.nbytes > value.untyped_storage().nbytes():
                raise ValueError(f"{str(name)!a} has {tuple(value.shape)} values, the file fewer")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


@contextmanager
def named(file: Path, fault: str) -> Generator[None]:
    """Whatever damaged content leads to in this block becomes one line that names the file.

    Raises:
        ValueError: ``<file> <fault>: <why, in one line>``.
        OSError: the file cannot be read.
    """
    try:
        yield
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # it cannot be read, and says so by name
        why = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{file} {fault}: {why[:_MAX_MESSAGE]}") from error


def _loaded(checkpoint: Path) -> object:
    """What torch reads; nothing is copied into memory that the file does not hold."""
    if not zipfile.is_zipfile(checkpoint):
        return torch.load(checkpoint, map_location="cpu", weights_only=True)
    size = checkpoint.stat().st_size
    with zipfile.ZipFile(checkpoint) as file:
        for entry in file.infolist():
            if entry.compress_type != zipfile.ZIP_STORED or entry.header_offset + entry.file_size > size:
                raise ValueError(f"{entry.filename!a} claims {entry.file_size:,} bytes in a file of {size:,}")
    # Mapped, a tensor cannot reach beyond the file; torch believes its size where it reads.
    return torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)


def fill(network: nn.Module, state: StateDict, checkpoint: Path) -> None:
    """Give ``network`` its weights from ``state``, read from ``checkpoint``; what only training needs may be left over.

    Raises:
        ValueError: a weight is missing or has another shape.
    """
    refuse_other(network, state, checkpoint)
    with named(checkpoint, "is of another network"):
        network.load_state_dict(state, strict=False)


def refuse_other(network: nn.Module, state: StateDict, checkpoint: Path) -> None:
    """See that each weight of ``network``, which may be without memory, is in ``state`` and has its shape.

    Raises:
        ValueError: as ``fill``.
    """
    expected = network.state_dict()
    for name, value in expected.items():
        if name in state and state[name].shape != value.shape:
            shapes = f"{name!r} has the shape {tuple(state[name].shape)}, not {tuple(value.shape)}"
            raise ValueError(f"{checkpoint} is of another network: {shapes}")
    if missing := [name for name in expected if name not in state]:
        raise ValueError(f"{checkpoint} lacks {len(missing)} weights of the network, such as {missing[0]!r}")
