"""InceptionV3's features for FID, as clean-fid's mode "clean" computes them (Parmar et al., 2022).

The network is NVIDIA's TorchScript file of TensorFlow's weights. Each channel is resized to 299 pixels in float by
Pillow's bicubic filter, with its antialiasing and without rounding to 8 bits.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from cologen.datagen.model_files import ModelFile, download
from cologen.datagen.weights import named
from cologen.evaluation.networks.checkpoints import identity_of
from cologen.evaluation.networks.passes import passed
from cologen.evaluation.records import Picture

SIDE = 299
FILE = ModelFile(
    name="inception-2015-12-05",
    url="https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
    sha256="f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
    size=95_607_719,
    purpose="FID's features",
    licence="Apache-2.0 (TensorFlow's weights)",
    filename="inception-2015-12-05.pt",
)


def inception_path(source: str, *, fetch: bool = False) -> Path:
    """The file ``source``, or the one of its published name in that folder; downloaded there if asked for.

    Raises:
        FileNotFoundError: it is not there.
        OSError: it could not be downloaded.
    """
    path = Path(source) / FILE.filename if Path(source).is_dir() else Path(source)
    if path.is_file():
        return path
    if fetch and path.name == FILE.filename:
        return download(FILE, path.parent)
    raise FileNotFoundError(f"there is no {path}")


def load_inception(source: str, path: Path, device: torch.device) -> Inception:
    """From the TorchScript file.

    Raises:
        ValueError: it is damaged, or another network.
    """
    with named(path, "is not clean-fid's TorchScript file"), warnings.catch_warnings():
        # Torch deprecates the format in which alone these weights are published.
        warnings.filterwarnings("ignore", message="`torch.jit.load` is deprecated", category=FutureWarning)
        scripted: Any = torch.jit.load(path, map_location="cpu")
        network = scripted.eval().to(device)
        network.layers  # noqa: B018, an AttributeError of another network
    return Inception(network, device, identity_of(source, path, f"clean-bicubic-{SIDE}-1"))


@dataclass(frozen=True, slots=True)
class Inception:
    """A ``PictureNetwork``."""

    network: Any
    device: torch.device
    identity: str

    def read(self, pictures: Sequence[Picture]) -> list[np.ndarray]:
        """2048 features of each picture."""
        return passed(self._features, (_resized(picture) for picture in pictures), self.device)

    def _features(self, inputs: Float[Tensor, "batch 3 299 299"]) -> Float[Tensor, "batch features"]:
        return self.network.layers(inputs).flatten(1)


def _resized(picture: Picture) -> Float[Tensor, "3 299 299"]:
    """Values about [-1, 1], from [0, 255] by (x - 128) / 128."""
    channels = [
        np.asarray(
            Image.fromarray(picture[..., place].astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        )
        for place in range(3)
    ]
    return (torch.from_numpy(np.stack(channels).clip(0, 255)) - 128) / 128
