"""An exact codec for the synthetic dataset: 4 × 4 pixels become 48 cosine coefficients, and come back.

A three-dimensional DCT over rows, columns and the three colours is orthonormal, so nothing is lost and nothing has to
be trained. Unlike raw pixels, each channel is one frequency of luma or chroma with a typical size, so it can be scaled
to the square root of its spread, half of the way to unit variance. Unscaled, fine detail would hardly count in the
loss; fully whitened, the loss would be mostly texture that no caption describes.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

PATCH = 4
"""Pixels along a side of the square that becomes one latent."""

_COLORS = 3

_MEANS = (0.96, 0.16, -0.05)
"""Of the constant coefficient of luma, red minus blue, and green against both; all others average zero."""

_SPREADS = (
    ((2.52, 0.50, 0.28, 0.21), (0.50, 0.29, 0.20, 0.17), (0.28, 0.20, 0.15, 0.13), (0.21, 0.17, 0.13, 0.14)),
    ((1.57, 0.29, 0.12, 0.07), (0.29, 0.14, 0.08, 0.06), (0.12, 0.08, 0.06, 0.04), (0.07, 0.06, 0.04, 0.04)),
    ((0.77, 0.15, 0.07, 0.04), (0.15, 0.08, 0.05, 0.03), (0.07, 0.05, 0.03, 0.03), (0.04, 0.03, 0.03, 0.02)),
)
"""Standard deviations by colour, row and column frequency: over 1,500 scenes, the mean of those drawn in
32 × 32 and in 64 × 64 pixels in [-1, 1], rows and columns alike."""


class WorldCodec(nn.Module):
    """Pictures in [-1, 1] to latents of 48 channels at a quarter of the side; ``decode(encode(x))`` is ``x``.

    It has buffers and no parameters. Keep it in float32: in half precision it is as exact as half precision is.
    """

    downscale = PATCH
    latent_channels = _COLORS * PATCH * PATCH

    basis: Tensor
    mean: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        rows, colors = _cosines(PATCH), _cosines(_COLORS)
        # Both sides in the order of pixel_unshuffle: colour, row, column.
        basis = torch.kron(colors, torch.kron(rows, rows))
        mean = torch.zeros(_COLORS, PATCH * PATCH)
        mean[:, 0] = torch.tensor(_MEANS)
        self.register_buffer("basis", basis.float(), persistent=False)
        self.register_buffer("mean", mean.reshape(-1, 1, 1), persistent=False)
        spread = torch.tensor(_SPREADS).reshape(-1, 1, 1)
        # Latents of channel c then deviate by √(spread_c / mean spread): all channels together have unit variance.
        self.register_buffer("spread", (spread * spread.mean()).sqrt(), persistent=False)

    def encode(
        self,
        images: Float[Tensor, "batch 3 height width"],
        noise: Float[Tensor, "batch 48 rows columns"] | None = None,
    ) -> Float[Tensor, "batch 48 rows columns"]:
        """The latents of pictures in [-1, 1] whose sides are multiples of 4; ``noise`` is not needed, nothing is drawn.

        Raises:
            ValueError: a side is not a multiple of 4 pixels.
        """
        if images.shape[2] % PATCH or images.shape[3] % PATCH:
            raise ValueError(f"sides must be multiples of {PATCH} pixels, got {images.shape[2]} x {images.shape[3]}")
        patches = functional.pixel_unshuffle(images.to(self.basis.dtype), PATCH)
        return (torch.einsum("fp,bphw->bfhw", self.basis, patches) - self.mean) / self.spread

    def decode(self, latents: Float[Tensor, "batch 48 rows columns"]) -> Float[Tensor, "batch 3 height width"]:
        """The pictures of latents, not clamped: what is drawn beyond [-1, 1] stays visible to measures."""
        coefficients = latents.to(self.basis.dtype) * self.spread + self.mean
        return functional.pixel_shuffle(torch.einsum("fp,bfhw->bphw", self.basis, coefficients), PATCH)


def _cosines(size: int) -> Float[Tensor, "size size"]:
    """The orthonormal DCT-II in float64: row k is the cosine of k half waves."""
    waves = [
        [math.cos(math.pi * k * (2 * x + 1) / (2 * size)) * math.sqrt((1 if k == 0 else 2) / size) for x in range(size)]
        for k in range(size)
    ]
    return torch.tensor(waves, dtype=torch.float64)
