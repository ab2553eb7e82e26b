"""Shared by the network extractors: tensor shapes, and how a batch passes through a network."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "batch 3 height width"]
"""RGB in [0, 1]. Maps have the same form, so that they go wherever pictures go."""

GreyMaps = Float[Tensor, "batch 1 height width"]

Extractor = Callable[[Images], Images]
"""Pictures to maps of the same size and device."""


def extract(network: Callable[[Images], GreyMaps], images: Images, device: torch.device, multiple: int) -> Images:
    """The maps of ``images`` by a network on ``device`` that wants sides divisible by ``multiple``.

    Other sides are extended to the right and below by their last pixels, and the maps are cut back: nothing is
    resampled, so that pixel (y, x) of a map is about pixel (y, x) of its picture. The network runs in float32 whatever
    the caller's autocast says, and on the CPU it gets one picture at a time, which stays in its caches.
    """
    height, width = images.shape[-2:]
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        inputs = F.pad(
            images.to(device, torch.float32), (0, -width % multiple, 0, -height % multiple), mode="replicate"
        )
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        passes = inputs.split(1) if device.type == "cpu" else (inputs,)
        maps = torch.cat([network(each) for each in passes])[..., :height, :width]
    return maps.to(images.device).repeat(1, 3, 1, 1)
