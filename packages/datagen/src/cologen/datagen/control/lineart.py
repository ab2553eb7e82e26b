"""Line drawings: the generators of ControlNet's annotators (``sk_model.pth``, coarse: ``sk_model2.pth``), batched.

The same maths as ``controlnet_aux.lineart.LineartDetector``, without its rounding to grey levels: white lines on black.
Source: Chan, Durand and Isola, Learning to Generate Line Drawings (2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cologen.datagen.control.annotators import annotator, load_weights
from cologen.datagen.control.maps import GreyMaps, Images, extract
from cologen.datagen.control.policy import HUB
from cologen.datagen.weights import device_named

FILE, COARSE_FILE = "sk_model.pth", "sk_model2.pth"
RESIDUAL_BLOCKS = 3
STRIDE = 4
"""Pixels to a cell of the residual blocks: the sides that come back whole from two halvings and two doublings."""


def load_lineart(weights: str | Path = HUB, *, device: str = "auto", coarse: bool = False) -> Lineart:
    """The fine network, or the ``coarse`` one with fewer and rougher lines.

    See :func:`~cologen.datagen.control.annotators.load_weights` for what is raised.
    """
    network = annotator("lineart").Generator(3, 1, RESIDUAL_BLOCKS)
    load_weights(network, weights, COARSE_FILE if coarse else FILE)
    _normalise_channels_last(network)
    network.model4[1] = _ToOneChannel(network.model4[1])
    place = device_named(device)
    return Lineart(network.to(place, memory_format=torch.channels_last), place)


@dataclass(frozen=True, slots=True)
class Lineart:
    """Pictures to white lines on black."""

    network: Any
    device: torch.device

    def __call__(self, images: Images) -> Images:
        """Maps of the same size and device in [0, 1], every picture's as if it had been alone."""
        return extract(self._lines, images, self.device, STRIDE)

    def _lines(self, images: Images) -> GreyMaps:
        """The network itself draws black on white."""
        return 1 - self.network(images)


def _normalise_channels_last(network: nn.Module) -> None:
    """Replace instance normalisation by group normalisation with one channel per group: the same result, without a copy
    into another memory layout."""
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.InstanceNorm2d):
                channels = layer.num_features
                setattr(parent, name, nn.GroupNorm(channels, channels, eps=layer.eps, affine=False))


class _ToOneChannel(nn.Module):
    """A convolution to one channel: each row of its kernel apart, then their sum, row under row.

    Convolutions of so few channels leave vector units idle: with 7 at once it takes a fifth of the time on the CPU.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.rows = nn.Parameter(convolution.weight.detach().permute(2, 1, 0, 3), requires_grad=False)
        self.bias = cast(nn.Parameter, convolution.bias)

    def forward(self, hidden: Float[Tensor, "batch channels padded_height padded_width"]) -> GreyMaps:
        seen, size = F.conv2d(hidden, self.rows), len(self.rows)
        height = seen.shape[-2] - size + 1
        return self.bias + torch.stack([seen[:, row : row + 1, row : row + height] for row in range(size)]).sum(dim=0)
