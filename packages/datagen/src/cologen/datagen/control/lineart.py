"""Line drawings: the generators of ControlNet's annotators (``sk_model.pth``, coarse: ``sk_model2.pth``), batched.

The same maths as ``controlnet_aux.lineart.LineartDetector``, without its rounding to grey levels: white lines on black.
Source: Chan, Durand and Isola, Learning to Generate Line Drawings (2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cologen.datagen.concepts.weights import device_named
from cologen.datagen.control.annotators import HUB, annotator, load_weights
from cologen.datagen.control.maps import GreyMaps, Images, extract

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
    """Groups of one channel are what instance normalisation is, but only they come without a copy of the layout."""
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.InstanceNorm2d):
                channels = layer.num_features
                setattr(parent, name, nn.GroupNorm(channels, channels, eps=layer.eps, affine=False))
