"""FLUX.2's autoencoder as a codec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLFlux2
from diffusers.utils.torch_utils import get_module_execution_device
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from cologen.model.files import read_whole

_PATCH = 2
"""Latents of the autoencoder along a side of the square whose numbers are one token's."""


class Flux2Codec(nn.Module):
    """FLUX.2's autoencoder, frozen. Its latents are taken by squares of 2 × 2, so that one of ours is 16 × 16 pixels,
    which is a token; each channel is normalised by the running mean and variance that the autoencoder carries.

    Results are on the autoencoder's device and in its dtype. The autoencoder itself is ``vae``.
    """

    def __init__(self, vae: AutoencoderKLFlux2, *, tiling: bool = False, slicing: bool = False) -> None:
        """``tiling`` decodes large pictures tile by tile, ``slicing`` batches one by one: less memory, more time."""
        super().__init__()
        config: Any = vae.config
        self.vae = vae.requires_grad_(False).eval()
        # One halving between each pair of levels.
        self.downscale: int = _PATCH * 2 ** (len(config.block_out_channels) - 1)
        self.latent_channels: int = _PATCH**2 * config.latent_channels
        self._epsilon: float = config.batch_norm_eps
        if tiling:
            self.vae.enable_tiling()
        if slicing:
            self.vae.enable_slicing()

    @classmethod
    def from_folder(
        cls, folder: Path, *, dtype: torch.dtype = torch.bfloat16, tiling: bool = False, slicing: bool = False
    ) -> Flux2Codec:
        """Read the ``vae`` of a FLUX.2 folder; no network.

        Raises:
            FileNotFoundError: the folder has no ``vae``.
        """
        if not (folder / "vae").is_dir():
            raise FileNotFoundError(f"{folder} has no vae: not a whole FLUX.2 folder")
        vae = read_whole(AutoencoderKLFlux2, folder / "vae", torch_dtype=dtype)
        return cls(vae, tiling=tiling, slicing=slicing)

    def encode(
        self,
        images: Float[Tensor, "batch 3 height width"],
        noise: Float[Tensor, "batch channels rows columns"] | None = None,
    ) -> Float[Tensor, "batch channels rows columns"]:
        """The posterior's mode, or ``mean + std · noise``, normalised."""
        encoded: Any = self.vae.encode(images.to(get_module_execution_device(self.vae), self.vae.dtype))
        posterior = encoded.latent_dist
        if noise is None:
            raw = posterior.mode()
        else:
            raw = posterior.mean + posterior.std * pixel_shuffle(noise, _PATCH).to(posterior.mean)
        mean, deviation = self._statistics(raw)
        return (pixel_unshuffle(raw, _PATCH) - mean) / deviation

    def decode(self, latents: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch 3 height width"]:
        """The pictures of normalised latents, not clamped."""
        given = latents.to(get_module_execution_device(self.vae), self.vae.dtype)
        mean, deviation = self._statistics(given)
        decoded: Any = self.vae.decode(pixel_shuffle(given * deviation + mean, _PATCH))  # pyright: ignore[reportArgumentType]
        return decoded.sample

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel."""
        bn: Any = self.vae.bn
        mean, variance = (each.view(1, -1, 1, 1).to(like) for each in (bn.running_mean, bn.running_var))
        return mean, torch.sqrt(variance + self._epsilon)
