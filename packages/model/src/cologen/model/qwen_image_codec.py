"""Qwen-Image's autoencoder as a codec: one for video, of which a picture is a single frame."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKLQwenImage
from jaxtyping import Float
from torch import Tensor

from cologen.model.codecs import FrozenAutoencoder


class QwenImageCodec(FrozenAutoencoder):
    """Qwen-Image's autoencoder; each channel of its latents is normalised by the mean and deviation of its
    configuration."""

    kind: ClassVar[type] = AutoencoderKLQwenImage

    def encode(
        self,
        images: Float[Tensor, "batch 3 height width"],
        noise: Float[Tensor, "batch channels rows columns"] | None = None,
    ) -> Float[Tensor, "batch channels rows columns"]:
        """The posterior's mode, or ``mean + std · noise``, normalised."""
        raw = self._raw(images[:, :, None], None if noise is None else noise[:, :, None])
        mean, deviation = self._statistics(raw)
        return ((raw - mean) / deviation)[:, :, 0]

    def decode(self, latents: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch 3 height width"]:
        """The pictures of normalised latents, not clamped."""
        given = self._here(latents)[:, :, None]
        mean, deviation = self._statistics(given)
        return self._pictures(given * deviation + mean)[:, :, 0]

    @staticmethod
    def _measures(config: Any) -> tuple[int, int]:
        """As of other autoencoders, in this one's words."""
        return 2 ** len(config.temperal_downsample), config.z_dim

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel."""
        config: Any = self.vae.config
        mean, deviation = (
            torch.tensor(each).view(1, -1, 1, 1, 1).to(like) for each in (config.latents_mean, config.latents_std)
        )
        return mean, deviation
