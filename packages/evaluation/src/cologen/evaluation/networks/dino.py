"""DINO: the class token of a self-supervised ViT (Caron et al., 2021), from transformers' checkpoints.

Pictures: the shorter side to 256 (bicubic), the square of 224 in the middle, ImageNet's normalisation. This is the
chain of DreamBench's and MagicBrush's scripts; the hub's processor squashes to 224 without a crop, which is not it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cologen.evaluation.networks.checkpoints import identity_of, read_checkpoint
from cologen.evaluation.networks.passes import passed
from cologen.evaluation.networks.preparing import IMAGENET, resized_and_cropped
from cologen.evaluation.records import Picture

SHORTER, SIDE = 256, 224


def load_dino(source: str, folder: Path, device: torch.device) -> Dino:
    """From a folder with ``config.json`` and weights, such as ``facebook/dino-vits16``.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: it is another network, damaged, or reads another size than 224.
    """
    from transformers import ViTModel

    network: Any = read_checkpoint(ViTModel, folder, "DINO's ViT", add_pooling_layer=False)
    if network.config.image_size != SIDE:
        raise ValueError(f"{folder} reads pictures of {network.config.image_size} pixels, the protocol's are {SIDE}")
    identity = identity_of(source, folder, f"shorter-{SHORTER}-bicubic-crop-{SIDE}-1")
    return Dino(network.to(device), device, identity)


@dataclass(frozen=True, slots=True)
class Dino:
    """A ``PictureNetwork``."""

    network: Any
    device: torch.device
    identity: str

    def read(self, pictures: Sequence[Picture]) -> list[np.ndarray]:
        """The class token of each picture, after the last normalisation."""
        inputs = (IMAGENET(resized_and_cropped(picture, shorter=SHORTER, side=SIDE)) for picture in pictures)
        return passed(self._class_tokens, inputs, self.device)

    def _class_tokens(self, inputs: Float[Tensor, "batch 3 side side"]) -> Float[Tensor, "batch dim"]:
        return self.network(pixel_values=inputs).last_hidden_state[:, 0]
