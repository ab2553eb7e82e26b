"""Depth maps, near bright and far dark: a dataset's own, or a DPT network's from a checkpoint folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from huggingface_hub.errors import StrictDataclassError
from jaxtyping import Float
from torch import Tensor

from cologen.datagen.control.maps import Images
from cologen.datagen.weights import device_named, named

MEAN = STD = 0.5
"""Of every channel, as DPT was trained (Ranftl et al., Vision Transformers for Dense Prediction, 2021)."""


MOST_LAYERS = 1000
"""A configuration with more is damaged: building them would fill the memory."""


def normalise(nearness: Float[Tensor, "batch height width"]) -> Images:
    """Each picture's smallest value to 0 and its largest to 1; a flat one is 0 everywhere.

    Larger is nearer, as in inverse depth, disparity and MultiGen-20M's maps; give metric depth with its sign turned.
    """
    low, high = nearness.aminmax(dim=-1, keepdim=True)
    low, high = low.amin(dim=-2, keepdim=True), high.amax(dim=-2, keepdim=True)
    spread = torch.where(high > low, high - low, torch.ones_like(high))
    return ((nearness - low) / spread)[:, None].repeat(1, 3, 1, 1)


def load_dpt(folder: Path, *, device: str = "auto") -> Dpt:
    """From a folder in transformers' form (``config.json``, ``model.safetensors``), such as ``Intel/dpt-large``.

    Raises:
        FileNotFoundError: no such folder, or a file is missing in it.
        ValueError: it holds another kind of model, or not all of its weights.
    """
    from transformers import DPTConfig, DPTForDepthEstimation

    if not folder.is_dir():
        raise FileNotFoundError(f"no checkpoint folder at {folder}")
    loaded: Any = None
    missing: OSError | None = None
    with named(folder, "is not a checkpoint of DPT"):
        try:
            config: Any = DPTConfig.from_pretrained(folder, local_files_only=True)
            if config.num_hidden_layers > MOST_LAYERS:
                raise ValueError(f"{config.num_hidden_layers:,} layers, at most {MOST_LAYERS:,}")
            loaded = DPTForDepthEstimation.from_pretrained(
                folder, config=config, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
        except StrictDataclassError as error:
            raise ValueError(str(error)) from error
        except OSError as error:
            missing = error
    if missing is not None:
        why = " ".join(str(missing).split())
        raise FileNotFoundError(f"{folder} is not a checkpoint of DPT: {why}") from missing
    network, info = loaded
    if info["missing_keys"]:
        raise ValueError(f"{folder} lacks weights of DPT, such as {min(info['missing_keys'])!r}")
    place = device_named(device)
    return Dpt(network.eval().requires_grad_(False).to(place), place)


@dataclass(frozen=True, slots=True)
class Dpt:
    """Pictures to normalised inverse depth by a DPT network."""

    network: Any
    device: torch.device

    def __call__(self, images: Images) -> Images:
        """Maps of the same size and device in [0, 1]; the network sees each picture whole, as a square of its own side.

        Both resizes map edge to edge, so that a point keeps its place.
        """
        side = self.network.config.image_size
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            inputs = (_resized(images.to(self.device, torch.float32), (side, side)) - MEAN) / STD
            nearness = self.network(pixel_values=inputs).predicted_depth
            maps = normalise(_resized(nearness[:, None], (images.shape[2], images.shape[3]))[:, 0])
        return maps.to(images.device)


def _resized(
    images: Float[Tensor, "batch channels height width"], size: tuple[int, int]
) -> Float[Tensor, "batch channels new_height new_width"]:
    return F.interpolate(images, size, mode="bicubic", align_corners=False, antialias=True)
