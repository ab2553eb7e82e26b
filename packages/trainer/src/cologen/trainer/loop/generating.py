"""The model's output for samples' sources and prompts, from noise that is keyed by their places."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cologen.datagen.randomness import generator
from cologen.model.bundle import Bundle
from cologen.model.conditions import Size
from cologen.model.layout import Layout
from cologen.model.sampling import Denoiser, Words, denoise
from cologen.model.steps import EulerStep
from cologen.model.tokens import pack
from cologen.trainer.data.batch import Batch, Pictures, holed, signed

Made = Float[Tensor, "batch 3 height width"]
"""Pictures in [-1, 1]."""


@torch.no_grad()
def generate(bundle: Bundle, batch: Batch, *, num_steps: int, seed: int) -> Made:
    """The model's output for each sample's source and prompt, by Euler's steps from keyed noise."""
    model, training = bundle.transformer, bundle.transformer.training
    layout, prompts = Layout.of(model, bundle.codec), bundle.text.encode(batch.prompts)
    size = Size(height=batch.target.shape[2], width=batch.target.shape[3])
    noise = _noise(seed, batch, layout.latent_shape(len(batch), size)[1:])
    tokens = pack(noise.to(batch.target.device), layout.patch)
    like = tokens.to(prompts.embeds.dtype)
    ids = layout.text_ids(prompts.embeds.shape[1]).to(like.device)
    denoiser = _denoiser(bundle, layout, batch, size, like)
    model.eval()
    try:
        steps = EulerStep.all(bundle.preset.times(tokens.shape[1], num_steps))
        tokens = denoise(denoiser, steps, tokens, Words(embeds=prompts.embeds, pooled=prompts.pooled, ids=ids))
    finally:
        model.train(training)
    return bundle.codec.decode(layout.latents(tokens, size)).float().clamp(-1, 1)


def _denoiser(bundle: Bundle, layout: Layout, batch: Batch, size: Size, like: Tensor) -> Denoiser:
    """The model with what it reads at every step: the sources, and for a Fill base the target with its hole in grey."""
    scale = bundle.preset.guidance
    sources = [
        layout.source(bundle.codec, signed(each), number, size, len(batch), like)
        for number, each in enumerate(batch.sources, 1)
    ]
    return Denoiser(
        transformer=bundle.transformer,
        ids=layout.ids(size).to(like.device),
        guidance=None if scale is None else torch.full_like(like[:, 0, 0], scale),
        cfg_scale=1.0,
        beside=layout.beside(bundle.codec, holed(batch), batch.mask.float(), like) if layout.fill else None,
        source=sources or None,
        attention_kwargs={},
    )


def _noise(seed: int, batch: Batch, shape: tuple[int, ...]) -> Float[Tensor, "batch channels rows columns"]:
    draws = [
        generator(seed, "grid", task, place).standard_normal(shape, dtype=np.float32)
        for task, place in zip(batch.tasks, batch.places, strict=True)
    ]
    return torch.from_numpy(np.stack(draws))


def in_bytes(made: Made) -> Pictures:
    """The pictures as bytes."""
    return ((made + 1) * 127.5).round().byte()
