"""Canny edges of a batch, by the thresholds of each picture's own sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from cologen.datagen.control.edges import Thresholds, edges
from cologen.datagen.control.maps import Images


def canny(images: Images, thresholds: Sequence[Thresholds]) -> Images:
    """White edges on black, of picture i by ``thresholds[i]``."""
    pixels = (images.detach() * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
    maps = np.stack([edges(picture, each) for picture, each in zip(pixels, thresholds, strict=True)])
    return torch.from_numpy(maps)[:, None].repeat(1, 3, 1, 1).to(images.device, torch.float32) / 255
