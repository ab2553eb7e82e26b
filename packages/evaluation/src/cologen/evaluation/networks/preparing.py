"""Pictures to the inputs of networks: resized and cropped by Pillow in 8 bits, then normalised.

The rules are torchvision's, which CLIP's and DINO's own evaluation code uses: the longer side of a resized picture is
cut to a whole number, and a crop's odd margin is rounded half to even. Hubs' processors may differ by a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from cologen.evaluation.records import Picture

Input = Float[Tensor, "3 height width"]
"""A network's input for one picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """Mean and standard deviation of each channel, of values in [0, 1]."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, pixels: Picture) -> Input:
        """8-bit pixels to an input, with torchvision's order of operations in float32."""
        values = torch.from_numpy(np.moveaxis(pixels, -1, 0).astype(np.float32, order="C"))
        return values.div_(255).sub_(_column(self.mean)).div_(_column(self.std))


IMAGENET = Normalisation(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
OPENAI = Normalisation(mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711))
HALVES = Normalisation(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def resized_and_cropped(picture: Picture, *, shorter: int, side: int) -> Picture:
    """The shorter side to ``shorter`` pixels (bicubic), then the square of ``side`` pixels in the middle.

    640 x 427 with shorter 224 becomes 335 x 224, and 56 pixels are cut from its left for a side of 224.
    """
    height, width = picture.shape[:2]
    scaled = (shorter, shorter * height // width) if width <= height else (shorter * width // height, shorter)
    left, top = (round((length - side) / 2) for length in scaled)
    image = Image.fromarray(picture)
    if scaled != (width, height):
        image = image.resize(scaled, Image.Resampling.BICUBIC)
    return np.asarray(image.crop((left, top, left + side, top + side)))


def squashed(picture: Picture, side: int, resample: Image.Resampling) -> Picture:
    """A square of ``side`` pixels, whatever the picture's shape."""
    if picture.shape[:2] == (side, side):
        return picture
    return np.asarray(Image.fromarray(picture).resize((side, side), resample))


def _column(values: tuple[float, float, float]) -> Float[Tensor, "3 1 1"]:
    return torch.tensor(values, dtype=torch.float32)[:, None, None]
