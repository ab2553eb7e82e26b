"""The networks out of ``controlnet_aux``, with their weights from a file, a folder or the hub."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HFValidationError

from cologen.datagen.weights import fill, read_state_dict


def annotator(name: str) -> Any:
    """The module ``controlnet_aux.<name>``.

    Importing it imports every annotator of the package, whose warnings about unused detectors (no
    mediapipe, old names in scipy and timm) are suppressed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(f"controlnet_aux.{name}")


def load_weights(network: Any, weights: str | Path, file: str) -> None:
    """Give ``network`` its weights, ready for use: on the CPU, frozen, channels last.

    Args:
        network: a module of the checkpoint's form.
        weights: the checkpoint, the folder that holds it as ``file``, or a name on the hub (``policy.HUB``).
        file: the checkpoint's name in a folder or on the hub.

    Raises:
        FileNotFoundError: there is no such file, here or on the hub.
        ValueError: not a checkpoint of tensors alone, or of another network.
    """
    checkpoint = checkpoint_of(weights, file)
    fill(network, read_state_dict(checkpoint), checkpoint)
    network.eval().requires_grad_(False)


def checkpoint_of(weights: str | Path, file: str) -> Path:
    """The path of ``load_weights``' checkpoint on this machine; from the hub it is downloaded once.

    Raises:
        FileNotFoundError: ``weights`` is no file, no folder, and not on the hub.
    """
    path = Path(weights)
    if path.is_dir():
        return path / file
    if path.is_file() or isinstance(weights, Path):
        return path
    try:
        return Path(hf_hub_download(weights, file))
    except (OSError, HFValidationError) as error:
        raise FileNotFoundError(f"{weights} is neither a file nor a folder, and not on the hub: {error}") from error
