"""FLUX.2's autoencoder as a codec."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKLFlux2
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from cologen.model.codecs import FrozenAutoencoder

_PATCH = 2
"""Latents of the autoencoder along a side of the square whose numbers are one token's."""


class Flux2Codec(FrozenAutoencoder):
    """FLUX.2's autoencoder. Its latents are taken by squares of 2 × 2, so that one of ours is 16 × 16 pixels, a token;
    each channel is normalised by the running mean and variance that the autoencoder carries.
    """

    kind: ClassVar[type] = AutoencoderKLFlux2

    def __init__(self, vae: Any, **options: bool) -> None:
        """``options`` are ``FrozenAutoencoder``'s."""
        super().__init__(vae, **options)
        self.downscale *= _PATCH
        self.latent_channels *= _PATCH**2

    def encode(
        self,
        images: Float[Tensor, "batch 3 height width"],
        noise: Float[Tensor, "batch channels rows columns"] | None = None,
    ) -> Float[Tensor, "batch channels rows columns"]:
        """The posterior's mode, or ``mean + std · noise``, normalised."""
        raw = self._raw(images, None if noise is None else pixel_shuffle(noise, _PATCH))
        mean, deviation = self._statistics(raw)
        return (pixel_unshuffle(raw, _PATCH) - mean) / deviation

    def decode(self, latents: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch 3 height width"]:
        """The pictures of normalised latents, not clamped."""
        given = self._here(latents)
        mean, deviation = self._statistics(given)
        return self._pictures(pixel_shuffle(given * deviation + mean, _PATCH))

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel."""
        bn = self.vae.bn
        mean, variance = (each.view(1, -1, 1, 1).to(like) for each in (bn.running_mean, bn.running_var))
        return mean, torch.sqrt(variance + self.vae.config.batch_norm_eps)
