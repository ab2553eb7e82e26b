"""L_task of eq. 10: flow matching on the target's latent before a source. L_veteran is added to whole steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from cologen.model import flow
from cologen.model.bundle import Bundle
from cologen.model.layout import Layout
from cologen.model.routing import Routing
from cologen.model.text import Prompts
from cologen.model.tokens import fill_target, pack, pack_mask
from cologen.trainer.data.batch import Batch, Mask
from cologen.trainer.data.draws import Randomness
from cologen.trainer.loop.encoding import Latents


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """``task`` is L_task, to be descended; ``per_sample`` is each sample's at its ``time``, without a gradient."""

    task: Float[Tensor, ""]
    per_sample: Float[Tensor, "batch"]
    time: Float[Tensor, "batch"]
    routing: Routing | None


def losses(
    model: torch.nn.Module,
    bundle: Bundle,
    batch: Batch,
    latents: Latents,
    prompts: Prompts,
    draws: Randomness,
    task_experts: Int[Tensor, "batch"] | None = None,
) -> Losses:
    """The losses of a micro batch.

    Args:
        model: the bundle's transformer, or what wraps it for several processes.
        task_experts: as in ``Routing``.
    """
    time = flow.logit_normal(draws.time)
    rows, columns = latents.target.shape[2:]
    num_tokens = rows * columns // Layout.of(bundle.transformer, bundle.codec).patch ** 2
    if (exponent := bundle.preset.shift_exponent(num_tokens)) is not None:
        time = flow.shift(time, exponent)
    return losses_at(model, bundle, batch.mask, latents, prompts, time, draws.noise, draws.routing, task_experts)


def losses_at(
    model: torch.nn.Module,
    bundle: Bundle,
    mask: Mask,
    latents: Latents,
    prompts: Prompts,
    time: Float[Tensor, "batch"],
    noise: Float[Tensor, "batch channels rows columns"],
    routing: Float[Tensor, "sources_by_batch blocks *tokens experts"] | None,
    task_experts: Int[Tensor, "batch"] | None = None,
) -> Losses:
    """The losses at given times in (0, 1], with given noise; ``routing`` is that of the routers, None: they have none.

    Args:
        model: as in ``losses``; without ``routing`` it has to be in evaluation mode.
        noise: of a pair's two pictures, twice as many channels. Where the second is given, its noise is not used.
        task_experts: as in ``Routing``.
    """
    layout = Layout.of(bundle.transformer, bundle.codec)
    dtype = prompts.embeds.dtype
    rows, columns = (side // layout.patch for side in latents.target.shape[2:])
    ids = layout.grid_ids(rows, columns)
    if latents.second is None:
        target, noise = pack(latents.target.float(), layout.patch), pack(noise, layout.patch)
    else:
        both = (latents.target, latents.second), noise.chunk(2, dim=1)
        target, noise = (torch.cat([pack(each.float(), layout.patch) for each in two], dim=1) for two in both)
        ids = torch.cat([ids, layout.grid_ids(rows, columns, source=1)])
    noisy = flow.interpolate(target, noise, time)
    drawn = _drawn_tokens(latents.given, target.shape[1])
    if drawn is not None:
        noisy = torch.where(drawn[..., None], noisy, target)
    hidden = noisy.to(dtype)
    if latents.masked is not None:
        hole = pack_mask(mask.float(), layout.downscale, layout.patch)
        hidden = fill_target(hidden, pack(latents.masked, layout.patch).to(dtype), hole.to(dtype))
    sources = [layout.source_of(each, k, (rows, columns), hidden) for k, each in enumerate(latents.sources, 1)]
    output = model(
        hidden_states=hidden,
        encoder_hidden_states=prompts.embeds,
        pooled_projections=prompts.pooled,
        timestep=time.to(dtype),
        img_ids=ids.to(hidden.device),
        txt_ids=layout.text_ids(prompts.embeds.shape[1]).to(hidden.device),
        guidance=_guidance(bundle, hidden),
        source=sources or None,
        routing_noise=routing if sources else None,
        task_experts=task_experts,
    )
    error = F.mse_loss(output.sample.float(), flow.velocity(target, noise), reduction="none")
    per_sample = error.mean(dim=(1, 2)) if drawn is None else (error.mean(dim=2) * drawn).sum(dim=1) / drawn.sum(dim=1)
    return Losses(task=per_sample.mean(), per_sample=per_sample.detach(), time=time, routing=output.routing)


def _drawn_tokens(given: Bool[Tensor, "batch"] | None, num_tokens: int) -> Bool[Tensor, "batch tokens"] | None:
    """The tokens of two pictures that are drawn: not those of a second one that is given. None: all of them are."""
    if given is None:
        return None
    second = torch.arange(num_tokens, device=given.device) >= num_tokens // 2
    return ~(given[:, None] & second)


def _guidance(bundle: Bundle, like: Tensor) -> Tensor | None:
    """Distilled bases get guidance 1 in training, so that they learn the plain conditional velocity."""
    config: Any = bundle.transformer.config
    return torch.ones(len(like), device=like.device, dtype=like.dtype) if config.guidance_embeds else None
