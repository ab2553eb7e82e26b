"""Pictures to latents and prompts to embeddings for training, kept on disk where the recipe asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cologen.model.bundle import Bundle
from cologen.model.text import Prompts
from cologen.trainer.batch import Batch
from cologen.trainer.caching import KeptLatents, KeptText
from cologen.trainer.curriculum import Recipe
from cologen.trainer.loss import Latents, encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """The frozen halves of a model."""

    bundle: Bundle

    @classmethod
    def of(cls, bundle: Bundle, recipe: Recipe) -> Encoder:
        """For a recipe's runs: ``cache_text`` and ``cache_latents`` keep what was encoded in the cache folder."""
        if recipe.cache_text:
            bundle = replace(bundle, text=KeptText(bundle.text))
        if recipe.cache_latents:
            bundle = replace(bundle, codec=KeptLatents(bundle.codec))
        return cls(bundle=bundle)

    def latents(self, batch: Batch) -> Latents:
        """Of a batch on the model's device."""
        return encode(self.bundle, batch)

    def prompts(self, prompts: Sequence[str]) -> Prompts:
        """Encoded one by one or together, they are the same."""
        return self.bundle.text.encode(prompts)
