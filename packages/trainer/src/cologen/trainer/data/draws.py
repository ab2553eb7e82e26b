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
    """Standard normal numbers for a micro batch: of the latents' shape, one per time, and one per router logit.

    ``routing`` has the logits of all samples' first sources, then those of their second ones and so on.
    """

    noise: Float[Tensor, "batch channels rows columns"]
    time: Float[Tensor, "batch"]
    routing: Float[Tensor, "sources_by_batch blocks *tokens experts"]


def draw(
    seed: int,
    stage: str,
    places: Sequence[int],
    *,
    latent: Sequence[int],
    routing: Sequence[int],
    device: torch.device,
    num_sources: int = 1,
) -> Randomness:
    """The random numbers of the samples at ``places``; ``latent`` is the shape for one sample, ``routing`` for one
    source."""
    noise, time, logits = [], [], []
    for place in places:
        rng = generator(seed, "training", stage, place)
        time.append(np.float32(rng.standard_normal(dtype=np.float32)))  # a single draw is a Python float
        logits.append(rng.standard_normal((num_sources, *routing), dtype=np.float32))
        noise.append(rng.standard_normal(tuple(latent), dtype=np.float32))
    by_source = np.concatenate(np.stack(logits, axis=1))
    numbers = (torch.from_numpy(each).to(device) for each in (np.stack(noise), np.stack(time), by_source))
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
