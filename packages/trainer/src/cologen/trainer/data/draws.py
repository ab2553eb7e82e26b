"""Per-sample randomness, from (seed, stage, place): noise, time, the routers' noise, a dropped caption.

A sample's draws are the same on any process, in any micro batch and after any interruption.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cologen.datagen.randomness import generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Randomness:
    """Standard normal numbers for a micro batch: of the latents' shape, one per time, and one per router logit."""

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
) -> Randomness:
    """The random numbers of the samples at ``places``; ``latent`` and ``routing`` are the shapes for one sample."""
    noise, time, logits = [], [], []
    for place in places:
        rng = generator(seed, "training", stage, place)
        time.append(np.float32(rng.standard_normal(dtype=np.float32)))  # a single draw is a Python float
        logits.append(rng.standard_normal(tuple(routing), dtype=np.float32))
        noise.append(rng.standard_normal(tuple(latent), dtype=np.float32))
    numbers = (torch.from_numpy(np.stack(each)).to(device) for each in (noise, time, logits))
    return Randomness(**dict(zip(("noise", "time", "routing"), numbers, strict=True)))


def given(seed: int, stage: str, places: Sequence[int], share: float) -> Bool[Tensor, "batch"]:
    """Which samples at ``places`` are given their second picture: a ``share`` of them, in expectation.

    Drawn from a stream of its own, so another share changes no other draw.
    """
    return torch.tensor([generator(seed, "given", stage, place).random() < share for place in places])


def with_captions_dropped(
    prompts: Sequence[str], places: Sequence[int], seed: int, stage: str, share: float
) -> tuple[str, ...]:
    """The prompts of the samples at ``places``, a ``share`` of them, in expectation, replaced by the empty one.

    Which samples these are is drawn from a stream of its own, so another share changes no other draw.
    """
    dropped = (generator(seed, "caption dropout", stage, place).random() < share for place in places)
    return tuple("" if drop else prompt for drop, prompt in zip(dropped, prompts, strict=True))
