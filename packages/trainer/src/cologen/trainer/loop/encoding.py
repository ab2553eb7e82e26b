"""Encodes pictures to latents and prompts to embeddings for training: a step's prompts together, cached if asked
for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cologen.model.bundle import Bundle
from cologen.model.layout import Layout
from cologen.model.text import Prompts
from cologen.trainer.data.batch import Batch, holed, signed
from cologen.trainer.loop.kept import KeptLatents, KeptText
from cologen.trainer.recipes.curriculum import Recipe


@dataclass(frozen=True, slots=True)
class Latents:
    """A micro batch as the codec gives it."""

    target: Float[Tensor, "batch channels rows columns"]
    source: Float[Tensor, "batch channels source_rows source_columns"] | None
    masked: Float[Tensor, "batch channels rows columns"] | None
    """The target with its hole in grey, for bases that read it."""
    second: Float[Tensor, "batch channels rows columns"] | None = None
    """A picture that the base draws together with the target, at position 1 of the pictures."""
    given: Bool[Tensor, "batch"] | None = None
    """The samples whose second picture is there without noise, and is not drawn; None: none is."""
    more_sources: tuple[Float[Tensor, "batch channels _ _"], ...] = ()

    @property
    def sources(self) -> tuple[Float[Tensor, "batch channels _ _"], ...]:
        """All sources, the first one first."""
        return () if self.source is None else (self.source, *self.more_sources)

    @property
    def drawn(self) -> tuple[int, ...]:
        """The shape of one sample's noise."""
        channels, rows, columns = self.target.shape[1:]
        return (channels if self.second is None else 2 * channels), rows, columns

    def as_pair(self, given: Bool[Tensor, "batch"] | None = None) -> Latents:
        """The source as the second picture, for a base in training, which has no source."""
        return replace(self, source=None, second=self.source, given=given)


@torch.no_grad()
def encode(bundle: Bundle, batch: Batch) -> Latents:
    """The latents of a batch's pictures, at the posterior's mode."""
    codec = bundle.codec
    masked = codec.encode(holed(batch)) if Layout.of(bundle.transformer, codec).fill else None
    source = None if batch.source is None else codec.encode(signed(batch.source))
    more = tuple(codec.encode(signed(each)) for each in batch.more_sources)
    return Latents(target=codec.encode(signed(batch.target)), source=source, masked=masked, more_sources=more)


class Encoder:
    """The frozen codec and text encoder of a model.

    ``step`` encodes all prompts of a training step at once, so that they fill the batches; ``prompts`` then finds them.
    The empty prompt, which takes the place of dropped captions in every step, is encoded once.
    """

    def __init__(self, *, bundle: Bundle) -> None:
        self.bundle = bundle
        self._encoded: dict[str, tuple[Tensor, Tensor]] = {}
        """Kept on the CPU: those of a whole step would take a gigabyte of GPU memory."""
        self._device = torch.device("cpu")

    @classmethod
    def of(cls, bundle: Bundle, recipe: Recipe) -> Encoder:
        """For a recipe's runs: ``cache_text`` and ``cache_latents`` keep what was encoded in the cache folder."""
        limit = round(recipe.cache_gb * 1e9)
        if recipe.cache_text:
            bundle = replace(bundle, text=KeptText.of(bundle.text, limit=limit))
        if recipe.cache_latents:
            bundle = replace(bundle, codec=KeptLatents(bundle.codec, limit=limit))
        return cls(bundle=bundle)

    def latents(self, batch: Batch) -> Latents:
        """Of a batch on the model's device."""
        return encode(self.bundle, batch)

    def step(self, prompts: Sequence[str], following: Sequence[str] = ()) -> None:
        """Encode a step's prompts, and begin to read those of the ``following`` step where they are kept on disk."""
        text = self.bundle.text
        if isinstance(text, KeptText):
            text.ahead([prompt for prompt in following if prompt])  # the empty one is kept here
        self._encoded = {prompt: encoded for prompt, encoded in self._encoded.items() if not prompt}
        self._encode([prompt for prompt in prompts if prompt not in self._encoded])

    def prompts(self, prompts: Sequence[str]) -> Prompts:
        """The embeddings; they do not depend on which prompts are encoded together."""
        self._encode([prompt for prompt in prompts if prompt not in self._encoded])
        embeds, pooled = (torch.cat(each) for each in zip(*(self._encoded[prompt] for prompt in prompts), strict=True))
        return Prompts(embeds.to(self._device), pooled.to(self._device))

    def _encode(self, prompts: Sequence[str]) -> None:
        distinct = list(dict.fromkeys(prompts))
        if distinct:
            found = self.bundle.text.encode(distinct)
            self._device = found.embeds.device
            rows = zip(found.embeds.cpu().split(1), found.pooled.cpu().split(1), strict=True)
            self._encoded |= dict(zip(distinct, rows, strict=True))
