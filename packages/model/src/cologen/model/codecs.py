"""Codecs, pictures to latents and back: the protocol, and FLUX's autoencoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from diffusers import AutoencoderKL
from diffusers.utils.torch_utils import get_module_execution_device
from jaxtyping import Float
from torch import Tensor, nn

from cologen.model.files import read_whole


@runtime_checkable
class Codec(Protocol):
    """Pictures in [-1, 1] to latents of about unit variance, and back."""

    @property
    def downscale(self) -> int:
        """Pixels along a side of the square that becomes one latent."""
        ...

    @property
    def latent_channels(self) -> int:
        """Channels of a latent."""
        ...

    def encode(
        self,
        images: Float[Tensor, "batch 3 height width"],
        noise: Float[Tensor, "batch channels rows columns"] | None = None,
    ) -> Float[Tensor, "batch channels rows columns"]:
        """The latents: a codec with a posterior gives its mode, or with draws of N(0, 1) a sample from it."""
        ...

    def decode(self, latents: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch 3 height width"]:
        """The pictures, not clamped."""
        ...


class FluxCodec(nn.Module):
    """FLUX's autoencoder, frozen; latents are ``(z - shift) · scale`` with the two numbers of its configuration.

    Results are on the autoencoder's device and in its dtype. The autoencoder itself is ``vae``.
    """

    def __init__(self, vae: AutoencoderKL, *, tiling: bool = False, slicing: bool = False, freeze: bool = True) -> None:
        """``tiling`` decodes large pictures tile by tile, ``slicing`` batches one by one: less memory, more time.

        ``freeze`` is off for an autoencoder that belongs to a pipeline's user.
        """
        super().__init__()
        config: Any = vae.config
        self.vae = vae.requires_grad_(False).eval() if freeze else vae
        # One halving between each pair of levels.
        self.downscale: int = 2 ** (len(config.block_out_channels) - 1)
        self.latent_channels: int = config.latent_channels
        self._shift: float = config.shift_factor
        self._scale: float = config.scaling_factor
        if tiling:
            self.vae.enable_tiling()
        if slicing:
            self.vae.enable_slicing()

    @classmethod
    def from_folder(
        cls, folder: Path, *, dtype: torch.dtype = torch.bfloat16, tiling: bool = False, slicing: bool = False
    ) -> FluxCodec:
        """Read the ``vae`` of a FLUX folder; no network.

        Raises:
            FileNotFoundError: the folder has no ``vae``.
        """
        if not (folder / "vae").is_dir():
            raise FileNotFoundError(f"{folder} has no vae: not a whole FLUX folder")
        vae = read_whole(AutoencoderKL, folder / "vae", torch_dtype=dtype)
        return cls(vae, tiling=tiling, slicing=slicing)

    def encode(
        self,
        images: Float[Tensor, "batch 3 height width"],
        noise: Float[Tensor, "batch channels rows columns"] | None = None,
    ) -> Float[Tensor, "batch channels rows columns"]:
        """The posterior's mode, or ``mean + std · noise``, normalised."""
        encoded: Any = self.vae.encode(images.to(self._device, self.vae.dtype))
        posterior = encoded.latent_dist
        raw = posterior.mode() if noise is None else posterior.mean + posterior.std * noise.to(posterior.mean)
        return (raw - self._shift) * self._scale

    def decode(self, latents: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch 3 height width"]:
        """The pictures of normalised latents, not clamped."""
        raw: Any = latents.to(self._device, self.vae.dtype) / self._scale + self._shift
        decoded: Any = self.vae.decode(raw)
        return decoded.sample

    @property
    def _device(self) -> torch.device:
        """Where it computes, which is not where its weights are while they are offloaded."""
        return get_module_execution_device(self.vae)
