"""One call's denoising: which way a noisy latent has to go, under words, against other words, and before a source.

The source's keys and values live here and nowhere else: they are made for one call and die with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from diffusers.pipelines.flux.pipeline_flux import calculate_shift, retrieve_timesteps
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Float
from torch import Tensor

from cologen.model.conditions import Size
from cologen.model.layout import Layout
from cologen.model.source import SourceCache, SourceTokens
from cologen.model.tokens import pack
from cologen.model.transformer import CoLoGenTransformer2DModel


@dataclass(frozen=True, kw_only=True)
class Words:
    """Encoded prompts of one guidance branch, as the transformer takes them."""

    embeds: Float[Tensor, "batch text_tokens text_dim"]
    pooled: Float[Tensor, "batch pooled_dim"]
    ids: Float[Tensor, "text_tokens 3"]

    def repeated(self, times: int) -> Words:
        """Each prompt ``times`` in a row."""
        embeds, pooled = (each.repeat_interleave(times, dim=0) for each in (self.embeds, self.pooled))
        return Words(embeds=embeds, pooled=pooled, ids=self.ids)


@dataclass(kw_only=True)
class CallSource:
    """The sources of one call, and what the transformer has found in them.

    A model that sees its source at time zero finds the same at every step, so it is asked once. One that shares the
    noisy latent's time is asked at each step. Both guidance branches and all pictures of a prompt read the same.

    Args:
        pooled: of the prompts, one for each sample (SPEC 2.6).
        num_images: pictures of each sample, in a row.
    """

    transformer: CoLoGenTransformer2DModel
    tokens: Sequence[SourceTokens]
    pooled: Float[Tensor, "batch pooled_dim"]
    num_images: int
    attention_kwargs: dict[str, Any]
    _found: SourceCache | None = field(default=None, init=False)

    def at(self, time: Float[Tensor, "draws"]) -> SourceCache:
        """What is seen at ``time`` in [0, 1], for every picture to be drawn."""
        config: Any = self.transformer.config
        if self._found is None or config.source_timestep == "shared":
            self._found = None  # its memory is free before the next is made
            self._found = self._repeated(self._encode(time))
        return self._found

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
    """The transformer with everything that stays the same over a call's steps.

    ``beside`` is what Fill bases read beside the noisy latent. ``cfg_scale`` weighs words against other words.
    """

    transformer: CoLoGenTransformer2DModel
    ids: Float[Tensor, "tokens 3"]
    guidance: Float[Tensor, "draws"] | None
    cfg_scale: float
    beside: Float[Tensor, "draws tokens beside_dim"] | None
    source: CallSource | None
    attention_kwargs: dict[str, Any]

    def velocity(
        self,
        latents: Float[Tensor, "draws tokens dim"],
        time: Float[Tensor, "draws"],
        words: Words,
        against: Words | None,
    ) -> Float[Tensor, "draws tokens dim"]:
        """The velocity at ``time`` in [0, 1]; with ``against``, that of true classifier-free guidance."""
        hidden = latents if self.beside is None else torch.cat((latents, self.beside), dim=2)
        source = None if self.source is None else self.source.at(time)
        toward = self._ask("cond", hidden, time, words, source)
        if against is None:
            return toward
        away = self._ask("uncond", hidden, time, against, source)
        return away + self.cfg_scale * (toward - away)

    def _ask(self, branch: str, hidden: Tensor, time: Tensor, words: Words, source: SourceCache | None) -> Tensor:
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


def starting_noise(
    layout: Layout,
    size: Size,
    num_draws: int,
    generator: torch.Generator | list[torch.Generator] | None,
    given: Float[Tensor, "_ _ _"] | None,
    *,
    like: Tensor,
) -> Float[Tensor, "draws tokens dim"]:
    """What denoising begins with, drawn as FLUX's pipeline draws it, or ``given`` in tokens; placed and typed ``like``.

    Raises:
        ValueError: generators are not one for each picture, or ``given`` has another shape or is not finite.
    """
    shape = layout.latent_shape(num_draws, size)
    if isinstance(generator, list) and len(generator) != num_draws:
        raise ValueError(f"{len(generator)} generators for {num_draws} pictures: give one, or one for each")
    if given is None:
        draws: Any = randn_tensor(shape, generator=generator, device=like.device, dtype=like.dtype)
        return pack(draws, layout.patch)
    expected = pack(torch.empty(shape, device="meta"), layout.patch).shape
    if given.shape != expected:
        raise ValueError(f"latents are {tuple(given.shape)}, expected {tuple(expected)}: (pictures, tokens, channels)")
    if not given.isfinite().all():
        raise ValueError("latents hold a value that is not finite")
    return given.to(like)


def step_times(
    scheduler: Any, num_steps: int, sigmas: Sequence[float] | None, latents: Float[Tensor, "draws tokens dim"]
) -> Float[Tensor, "steps"]:
    """The timesteps of a call as FLUX's pipeline sets them: shifted by the number of tokens, where the base does that.

    Raises:
        ValueError: there is no step, or a sigma is not finite.
    """
    if num_steps < 1:
        raise ValueError(f"there must be at least one step, got {num_steps}")
    config, asked = scheduler.config, None if sigmas is None else list(sigmas)
    if asked is not None and not (asked and np.isfinite(asked).all()):
        raise ValueError(f"sigmas must be finite numbers, at least one, got {asked}")
    if asked is None and not config.get("use_flow_sigmas", False):
        asked = np.linspace(1.0, 1 / num_steps, num_steps).tolist()
    growth: Any = calculate_shift  # its annotations are narrower than what it takes
    mu = growth(
        latents.shape[1],
        config.get("base_image_seq_len", 256),
        config.get("max_image_seq_len", 4096),
        config.get("base_shift", 0.5),
        config.get("max_shift", 1.15),
    )
    set_steps: Any = retrieve_timesteps
    return set_steps(scheduler, num_steps, latents.device, sigmas=asked, mu=mu)[0]


def _each_repeated(heads: Tensor, times: int) -> Tensor:
    return heads[:, None].expand(-1, times, *heads.shape[1:]).flatten(0, 1)
