"""Soft edges: the HED network of ControlNet's annotators (``ControlNetHED.pth``), batched.

The same maths as ``controlnet_aux.hed.HEDdetector``, without its detours over NumPy and its rounding to grey levels.
Source: Xie and Tu, Holistically-Nested Edge Detection (2015); ControlNet's retrained network of five blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from cologen.datagen.control.annotators import annotator, load_weights
from cologen.datagen.control.maps import GreyMaps, Images, extract
from cologen.datagen.control.policy import HUB
from cologen.datagen.weights import device_named

FILE = "ControlNetHED.pth"
STRIDE = 16
"""Pixels to a cell of the deepest block: the sides that four halvings leave whole."""


def load_hed(weights: str | Path = HUB, *, device: str = "auto", safe: bool = False) -> Hed:
    """From :data:`FILE`; see :func:`~cologen.datagen.control.annotators.load_weights` for what is raised."""
    network = annotator("hed").ControlNetHED_Apache2()
    load_weights(network, weights, FILE)
    place = device_named(device)
    return Hed(network.to(place, memory_format=torch.channels_last), place, safe)


@dataclass(frozen=True, slots=True)
class Hed:
    """Pictures to white edges on black.

    ``safe`` keeps only steps of grey (0, 1/2 and 1), in which a picture cannot be hidden.
    """

    network: Any
    device: torch.device
    safe: bool = False

    def __call__(self, images: Images) -> Images:
        """Maps of the same size and device in [0, 1], every picture's as if it had been alone."""
        return extract(self._edges, images, self.device, STRIDE)

    def _edges(self, images: Images) -> GreyMaps:
        """The mean of what the five blocks see, each at its own scale; the network reads pixels in [0, 255]."""
        net, size = self.network, images.shape[-2:]
        hidden, logits = 255 * images - net.norm, torch.zeros((), device=images.device)
        for depth, block in enumerate((net.block1, net.block2, net.block3, net.block4, net.block5)):
            hidden = F.max_pool2d(hidden, 2) if depth else hidden
            for convolution in block.convs:
                hidden = convolution(hidden).relu_()
            logits = logits + F.interpolate(block.projection(hidden), size, mode="bilinear", align_corners=False)
        edges = (logits / 5).sigmoid()
        return ((3 * edges).floor() / 2).clamp(max=1) if self.safe else edges
