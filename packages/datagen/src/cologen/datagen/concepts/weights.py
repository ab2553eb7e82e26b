"""Original checkpoint files into networks: nothing in the file is run, and no weight of the network may be missing."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

StateDict = dict[str, Tensor]


def device_named(name: str) -> torch.device:
    """The device of that name; ``auto`` is the GPU where there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def read_state_dict(checkpoint: Path) -> StateDict:
    """The tensors of a ``.pth`` file by name: the file's own dict or its ``model``, ``module.`` prefixes removed.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint of tensors alone.
    """
    if not checkpoint.is_file():
        raise FileNotFoundError(f"no checkpoint at {checkpoint}")
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(f"{checkpoint} is not a checkpoint of tensors alone: {error}") from error
    state = content.get("model", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{checkpoint} holds no tensors by name, expected a state dict or one under 'model'")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def fill(network: nn.Module, state: StateDict, checkpoint: Path) -> None:
    """Give ``network`` its weights from ``state``, read from ``checkpoint``; what only training needs may be left over.

    Raises:
        ValueError: a weight is missing or has another shape.
    """
    try:
        missing = network.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:
        raise ValueError(f"{checkpoint} is of another network: {error}") from error
    if missing:
        raise ValueError(f"{checkpoint} lacks {len(missing)} weights of the network, such as {missing[0]!r}")
