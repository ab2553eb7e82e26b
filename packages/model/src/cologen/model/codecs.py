"""Codecs, pictures to latents and back: the protocol, and FLUX's autoencoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

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


class FrozenAutoencoder(nn.Module):
    """What autoencoders of diffusers share as codecs: reading, encoding to their raw latents and back.

    Results are on the autoencoder's device and in its dtype. The autoencoder itself is ``vae``.
    """

    kind: ClassVar[type]
    """diffusers' class of it."""

    def __init__(self, vae: Any, *, tiling: bool = False, slicing: bool = False, freeze: bool = True) -> None:
        """``tiling`` decodes large pictures tile by tile, ``slicing`` batches one by one: less memory, more time.

        ``freeze`` is off for an autoencoder that belongs to a pipeline's user.
        """
        super().__init__()
        self.vae: Any = vae.requires_grad_(False).eval() if freeze else vae
        self.downscale: int
        self.latent_channels: int
        self.downscale, self.latent_channels = self._measures(vae.config)
        if tiling:
            self.vae.enable_tiling()
        if slicing:
            self.vae.enable_slicing()

    @classmethod
    def from_folder(
        cls, folder: Path, *, dtype: torch.dtype = torch.bfloat16, tiling: bool = False, slicing: bool = False
    ) -> Any:
        """Read the ``vae`` of a base's folder; no network.

        Raises:
            FileNotFoundError: the folder has no ``vae``.
        """
        if not (folder / "vae").is_dir():
            raise FileNotFoundError(f"{folder} has no vae: not a whole folder of a base")
        return cls(read_whole(cls.kind, folder / "vae", torch_dtype=dtype), tiling=tiling, slicing=slicing)

    @staticmethod
    def _measures(config: Any) -> tuple[int, int]:
        """Pixels along a latent's side, of which there is one halving between each pair of levels; and channels."""
        return 2 ** (len(config.block_out_channels) - 1), config.latent_channels

    def _raw(self, images: Tensor, noise: Tensor | None) -> Tensor:
        """The posterior's mode, or ``mean + std · noise``."""
        posterior = self.vae.encode(self._here(images)).latent_dist
        return posterior.mode() if noise is None else posterior.mean + posterior.std * noise.to(posterior.mean)

    def _pictures(self, raw: Tensor) -> Tensor:
        return self.vae.decode(raw).sample

    def _here(self, given: Tensor) -> Tensor:
        """Where it computes, which is not where its weights are while they are offloaded, and in its dtype."""
        return given.to(get_module_execution_device(self.vae), self.vae.dtype)


class FluxCodec(FrozenAutoencoder):
    """FLUX.1's autoencoder; latents are ``(z - shift) · scale`` with the two numbers of its configuration."""

    kind: ClassVar[type] = AutoencoderKL

    def encode(
        self,
        images: Float[Tensor, "batch 3 height width"],
        noise: Float[Tensor, "batch channels rows columns"] | None = None,
    ) -> Float[Tensor, "batch channels rows columns"]:
        """The posterior's mode, or ``mean + std · noise``, normalised."""
        return (self._raw(images, noise) - self.vae.config.shift_factor) * self.vae.config.scaling_factor

    def decode(self, latents: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch 3 height width"]:
        """The pictures of normalised latents, not clamped."""
        return self._pictures(self._here(latents) / self.vae.config.scaling_factor + self.vae.config.shift_factor)
