"""DPT's inverse depth under ControlNet++'s protocol: ``Intel/dpt-large`` (Ranftl et al., 2021).

Pictures are squashed to the network's square (384) by the filter that its ``preprocessor_config.json`` names. The
reading is the network's own map, before any scaling: ``metrics.depth`` makes grey levels of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from cologen.datagen.control.depth import load_dpt
from cologen.evaluation.networks.checkpoints import identity_of, settings_of, without_bars
from cologen.evaluation.networks.passes import passed
from cologen.evaluation.networks.preparing import HALVES, squashed
from cologen.evaluation.records import Picture


def load_depth(source: str, folder: Path, device: torch.device) -> Depth:
    """From a folder with ``config.json`` and ``model.safetensors``.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: it is another network, or damaged.
    """
    with without_bars():
        network = load_dpt(folder, device=str(device)).network
    resample = Image.Resampling(settings_of(folder).get("resample", Image.Resampling.BILINEAR))
    side = int(network.config.image_size)
    identity = identity_of(source, folder, f"squashed-{side}-{resample.name.lower()}-1")
    return Depth(network, device, identity, resample)


@dataclass(frozen=True, slots=True)
class Depth:
    """A ``PictureNetwork``."""

    network: Any
    device: torch.device
    identity: str
    resample: Image.Resampling = Image.Resampling.BILINEAR

    def read(self, pictures: Sequence[Picture]) -> list[np.ndarray]:
        """Inverse depth of each picture, in the network's size: 0 is infinitely far."""
        side = int(self.network.config.image_size)
        return passed(self._nearness, (HALVES(squashed(each, side, self.resample)) for each in pictures), self.device)

    def _nearness(self, inputs: Float[Tensor, "batch 3 side side"]) -> Float[Tensor, "batch rows columns"]:
        return self.network(pixel_values=inputs).predicted_depth
