"""Denoising: predicts the velocity from prompt, negative prompt and source, and takes the steps from noise to latents.

The source's keys and values are made for one call, and freed with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cologen.model.hooks import unwrapped
from cologen.model.routing import Routing
from cologen.model.source import SourceCache, SourceTokens
from cologen.model.steps import Step
from cologen.model.transformer import Sources, WovenTransformer


@dataclass(frozen=True, kw_only=True)
class Words:
    """Encoded prompts of one guidance branch, as the transformer takes them."""

    embeds: Float[Tensor, "batch text_tokens text_dim"]
    pooled: Float[Tensor, "batch pooled_dim"]
    ids: Float[Tensor, "text_tokens axes"]

    def repeated(self, times: int) -> Words:
        """Each prompt ``times`` in a row."""
        embeds, pooled = (each.repeat_interleave(times, dim=0) for each in (self.embeds, self.pooled))
        return Words(embeds=embeds, pooled=pooled, ids=self.ids)


@dataclass(kw_only=True)
class CallSource:
    """The sources of one call, and their cached keys and values.

    A model that encodes its source at time zero does so once, since the result is the same at every step. A model that
    shares the noisy latent's time encodes it at each step. Both guidance branches and all pictures of a prompt read the
    same cache.

    Args:
        pooled: of the prompts, one for each sample (see docs/design.md).
        num_images: pictures of each sample, in a row.
    """

    transformer: WovenTransformer
    tokens: Sequence[SourceTokens]
    pooled: Float[Tensor, "batch pooled_dim"]
    num_images: int
    attention_kwargs: dict[str, Any]
    _found: SourceCache | None = field(default=None, init=False)

    def at(self, time: Float[Tensor, "draws"]) -> SourceCache:
        """The source's cache at ``time`` in [0, 1], for every image to be generated."""
        config: Any = self.transformer.config
        if self._found is None or config.source_timestep == "shared":
            self._found = None  # its memory is free before the next is made
            self._found = self._repeated(self._encode(time))
        return self._found

    @property
    def routing(self) -> Routing | None:
        """What the routers chose when the source was encoded last; None: it was not, or there are no experts."""
        return None if self._found is None else self._found.routing

    def _encode(self, time: Tensor) -> SourceCache:
        return self.transformer.encode_source(
            self.tokens,
            pooled_projections=self.pooled,
            timestep=time[:: self.num_images],
            joint_attention_kwargs=self.attention_kwargs,
        )

    def _repeated(self, cache: SourceCache) -> SourceCache:
        """Each sample for all its pictures; of a single sample, without a copy."""
        keys, values = (tuple(_each_repeated(x, self.num_images) for x in xs) for xs in (cache.keys, cache.values))
        return SourceCache(keys, values, cache.routing)


@dataclass(frozen=True, kw_only=True)
class Denoiser:
    """The transformer with everything that is constant over a call's steps.

    ``beside`` is what Fill bases read beside the noisy latent. ``cfg_scale`` is the scale of true classifier-free
    guidance, which is the transformer's ``guided``. Sources that are given as tokens are encoded at every step, in the
    same call of the model, as FSDP requires.
    """

    transformer: WovenTransformer
    ids: Float[Tensor, "tokens axes"]
    guidance: Float[Tensor, "draws"] | None
    cfg_scale: float
    beside: Float[Tensor, "draws tokens beside_dim"] | None
    source: CallSource | SourceTokens | Sequence[SourceTokens] | None
    attention_kwargs: dict[str, Any]

    def velocity(
        self,
        latents: Float[Tensor, "draws tokens dim"],
        time: Float[Tensor, "draws"],
        words: Words,
        against: Words | None,
    ) -> Float[Tensor, "draws tokens dim"]:
        """The velocity at ``time`` in [0, 1]; with ``against``, that of true classifier-free guidance.

        The model reads the latents in the precision of the words.
        """
        read = latents.to(words.embeds.dtype)
        hidden = read if self.beside is None else torch.cat((read, self.beside), dim=2)
        source = self.source.at(time) if isinstance(self.source, CallSource) else self.source
        toward = self._ask("cond", hidden, time, words, source)
        if against is None:
            return toward
        away = self._ask("uncond", hidden, time, against, source)
        return unwrapped(self.transformer).guided(toward, away, self.cfg_scale)

    def _ask(self, branch: str, hidden: Tensor, time: Tensor, words: Words, source: Sources) -> Tensor:
        # The names of the branches are those that step caches of diffusers know.
        with self.transformer.cache_context(branch):
            return self.transformer(
                hidden_states=hidden,
                timestep=time,
                guidance=self.guidance,
                pooled_projections=words.pooled,
                encoder_hidden_states=words.embeds,
                txt_ids=words.ids,
                img_ids=self.ids,
                joint_attention_kwargs=self.attention_kwargs,
                return_dict=False,
                source=source,
            )[0]


OnStep = Callable[[int, Tensor, Words], tuple[Tensor, Words]]
"""(number of a step, latents and words after it) to latents and words for the next one."""


def denoise(
    denoiser: Denoiser,
    steps: Iterable[Step],
    latents: Float[Tensor, "draws tokens dim"],
    words: Words,
    against: Words | None = None,
    on_step: OnStep | None = None,
) -> Float[Tensor, "draws tokens dim"]:
    """The latents after all steps; the model runs once in each, and twice where there are words ``against``."""
    for number, step in enumerate(steps):
        latents = step.moved(latents, denoiser.velocity(latents, step.time(latents), words, against))
        if on_step is not None:
            latents, words = on_step(number, latents, words)
    return latents


def _each_repeated(heads: Tensor, times: int) -> Tensor:
    return heads[:, None].expand(-1, times, *heads.shape[1:]).flatten(0, 1)
