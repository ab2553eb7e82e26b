"""Where denoising starts: from noise, or at a later step from a picture with noise on it (image-to-image)."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Float
from torch import Tensor

from cologen.model import flow
from cologen.model.codecs import Codec
from cologen.model.conditions import Size
from cologen.model.layout import Layout
from cologen.model.tokens import pack


def starting_noise(
    layout: Layout,
    size: Size,
    num_draws: int,
    generator: torch.Generator | list[torch.Generator] | None,
    given: Float[Tensor, "_ _ _"] | None,
    *,
    like: Tensor,
) -> Float[Tensor, "draws tokens dim"]:
    """The initial latents, drawn as FLUX's pipeline draws them, or ``given`` in tokens; device and dtype of ``like``.

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


def first_step(num_steps: int, strength: float) -> int:
    """Where a call of that strength begins among ``num_steps``, as in diffusers' image-to-image: 0 for strength 1.

    Of 28 steps a strength of 0.6 runs the last 17, since 28 · 0.6 is rounded up.

    Raises:
        ValueError: no step is left.
    """
    first = int(num_steps - num_steps * strength)
    if first == num_steps:
        raise ValueError(f"a strength of {strength} leaves none of {num_steps} steps: give a larger one")
    return first


def noised(
    layout: Layout,
    codec: Codec,
    picture: Float[Tensor, "_ 3 height width"],
    noise: Float[Tensor, "draws tokens dim"],
    time: Float[Tensor, ""],
) -> Float[Tensor, "draws tokens dim"]:
    """The picture's tokens with ``noise`` on them, as at ``time`` in [0, 1]; one picture serves as many draws as it has
    to.

    It equals ``scale_noise`` of diffusers' scheduler to the bit, which has the time in the noise's precision too.
    """
    clean = layout.encoded(codec, picture, noise)
    clean = clean.repeat_interleave(len(noise) // len(clean), dim=0)
    return flow.interpolate(clean, noise, time.to(noise).expand(len(noise)))
