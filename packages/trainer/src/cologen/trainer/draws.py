"""What chance decides about a sample: its noise, its time, and the noise of the routers, from (seed, stage, place).

A sample's draws are the same on any process, in any micro batch and after any interruption.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cologen.datagen.randomness import generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Standard normal numbers for a micro batch: of the latents' shape, one for each time, and for each logit."""

    noise: Float[Tensor, "batch channels rows columns"]
    time: Float[Tensor, "batch"]
    routing: Float[Tensor, "batch blocks *tokens experts"]


def draw(
    seed: int,
    stage: str,
    places: Sequence[int],
    *,
    latent: Sequence[int],
    routing: Sequence[int],
    device: torch.device,
) -> Draws:
    """Draws for the samples at ``places``; ``latent`` and ``routing`` are the shapes for one sample."""
    noise, time, logits = [], [], []
    for place in places:
        rng = generator(seed, "training", stage, place)
        time.append(np.float32(rng.standard_normal(dtype=np.float32)))  # alone, it is one of Python's own
        logits.append(rng.standard_normal(tuple(routing), dtype=np.float32))
        noise.append(rng.standard_normal(tuple(latent), dtype=np.float32))
    numbers = (torch.from_numpy(np.stack(each)).to(device) for each in (noise, time, logits))
    return Draws(**dict(zip(("noise", "time", "routing"), numbers, strict=True)))
