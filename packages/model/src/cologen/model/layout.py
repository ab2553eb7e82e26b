"""The token layout of a base, from the shapes of transformer and codec, and pictures to tokens."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cologen.model.adapter_index import BaseKind
from cologen.model.codecs import Codec
from cologen.model.conditions import Size
from cologen.model.hooks import unwrapped
from cologen.model.source import SourceTokens
from cologen.model.tokens import (
    as_flux2,
    as_qwen_image,
    fill_source,
    flux2_text_ids,
    grid_ids,
    pack,
    pack_mask,
    qwen_image_text_ids,
    text_ids,
    unpack,
)
from cologen.model.transformer import WovenTransformer


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A token covers ``patch × patch`` latents of ``channels``, a latent ``downscale × downscale`` pixels.

    Bases of the Fill kind (``fill``) read the masked picture and the mask beside the noisy latent. ``base_kind`` says
    which axes position ids have.
    """

    channels: int
    patch: int
    downscale: int
    fill: bool
    base_kind: BaseKind = "flux.1"

    @classmethod
    def of(cls, transformer: WovenTransformer, codec: Codec) -> Layout:
        """The layout of this transformer with this codec.

        Raises:
            ValueError: they do not fit together.
        """
        config: Any = transformer.config
        channels, downscale = codec.latent_channels, codec.downscale
        dim = (config.out_channels or config.in_channels) * config.patch_size**2
        patch = isqrt(dim // channels)
        mask_dim = (downscale * patch) ** 2
        if channels * patch**2 != dim or config.in_channels not in (dim, 2 * dim + mask_dim):
            raise ValueError(
                f"tokens of {config.in_channels} channels in and {dim} out do not fit latents of {channels} channels"
            )
        return cls(
            channels=channels,
            patch=patch,
            downscale=downscale,
            fill=config.in_channels != dim,
            base_kind=unwrapped(transformer).base_kind,
        )

    @property
    def multiple(self) -> int:
        """Pixels along a token's side: 16 for FLUX."""
        return self.downscale * self.patch

    def grid(self, size: Size) -> tuple[int, int]:
        """Rows and columns of tokens."""
        return size.height // self.multiple, size.width // self.multiple

    def ids(self, size: Size) -> Float[Tensor, "tokens axes"]:
        """Position ids of the result's tokens."""
        return self.grid_ids(*self.grid(size))

    def grid_ids(
        self, rows: int, columns: int, *, source: int = 0, target: tuple[int, int] | None = None
    ) -> Float[Tensor, "tokens axes"]:
        """``tokens.grid_ids`` as this kind of base has them."""
        ids = grid_ids(rows, columns, source=source, target=target)
        if self.base_kind == "flux.2":
            return as_flux2(ids)
        return as_qwen_image(ids, *(target or (rows, columns))) if self.base_kind == "qwen-image" else ids

    def text_ids(self, num_tokens: int) -> Float[Tensor, "tokens axes"]:
        """Position ids of text."""
        own = {"flux.1": text_ids, "flux.2": flux2_text_ids, "qwen-image": qwen_image_text_ids}
        return own[self.base_kind](num_tokens)

    def latent_shape(self, num_draws: int, size: Size) -> tuple[int, int, int, int]:
        """(draws, channels, rows, columns)."""
        return num_draws, self.channels, size.height // self.downscale, size.width // self.downscale

    def latents(self, tokens: Float[Tensor, "draws tokens dim"], size: Size) -> Float[Tensor, "draws channels _ _"]:
        """Tokens rearranged into latents."""
        return unpack(tokens, *self.latent_shape(len(tokens), size)[2:], self.patch)

    def source(
        self, codec: Codec, picture: Float[Tensor, "_ 3 _ _"], number: int, size: Size, batch: int, like: Tensor
    ) -> SourceTokens:
        """The ``number``-th source (from 1), over a result of ``size``; one picture serves the whole batch."""
        found = self.source_of(codec.encode(picture.to(like.device)), number, self.grid(size), like)
        return SourceTokens(found.tokens.expand(batch, -1, -1), found.ids)

    def source_of(
        self, latents: Float[Tensor, "batch channels _ _"], number: int, grid: tuple[int, int], like: Tensor
    ) -> SourceTokens:
        """The ``number``-th source (from 1) from its latents, positioned over a result of ``grid`` (rows, columns).

        Its ids stay in float32, whatever the dtype of ``like``: bfloat16 has no halves beyond 128.
        """
        tokens = pack(latents, self.patch).to(like)
        if self.fill:
            tokens = fill_source(tokens, self.multiple**2)
        rows, columns = (side // self.patch for side in latents.shape[2:])
        return SourceTokens(tokens, self.grid_ids(rows, columns, source=number, target=grid).to(like.device))

    def encoded(self, codec: Codec, picture: Float[Tensor, "_ 3 height width"], like: Tensor) -> Float[Tensor, "_ _ _"]:
        """A picture's tokens, on the device and in the precision of ``like``."""
        return pack(codec.encode(picture.to(like.device)), self.patch).to(like)

    def beside(
        self,
        codec: Codec,
        masked: Float[Tensor, "_ 3 height width"],
        mask: Float[Tensor, "_ 1 height width"],
        like: Float[Tensor, "draws tokens dim"],
    ) -> Float[Tensor, "draws tokens beside_dim"]:
        """A Fill base's inputs beside the noisy latent: the picture with its hole in grey, and the mask."""
        parts = self.encoded(codec, masked, like), pack_mask(mask.to(like), self.downscale, self.patch)
        return torch.cat([part.repeat_interleave(len(like) // len(part), dim=0) for part in parts], dim=2)
