"""Rectified flow as FLUX uses it: a straight path from picture (time 0) to noise (time 1), and its time schedules.

Random draws are passed in as tensors. Times stay in float32 or float64: half precision cannot tell 0.999 from 1.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

FLUX1_SHIFT = (256, 0.5), (4096, 1.15)
"""FLUX.1's shift: its exponent is on the line through these two (tokens, μ), as in BFL's reference sampler."""
QWEN_IMAGE_SHIFT = (256, 0.5), (8192, 0.9)
"""The same of Qwen-Image, as the scheduler's configuration in its folder has it."""
QWEN_IMAGE_LAST = 0.02
"""Where Qwen-Image's schedule is stretched to end, before the step to 0; from the same configuration."""
# FLUX.2's: slope and offset of two lines over tokens, at 10 and at 200 steps; beyond so many tokens the second alone.
_FLUX2_AT_10, _FLUX2_AT_200, _FLUX2_LARGE = (8.73809524e-05, 1.89833333), (0.00016927, 0.45666666), 4300


def interpolate(
    clean: Float[Tensor, "batch *shape"], noise: Float[Tensor, "batch *shape"], time: Float[Tensor, "batch"]
) -> Float[Tensor, "batch *shape"]:
    """The point ``(1 - t) · clean + t · noise`` of the path; exactly ``clean`` at time 0 and ``noise`` at time 1."""
    t = _like(time, clean)
    return (1 - t) * clean + t * noise


def velocity(
    clean: Float[Tensor, "batch *shape"], noise: Float[Tensor, "batch *shape"]
) -> Float[Tensor, "batch *shape"]:
    """The path's derivative by time, the same everywhere on it: what the model learns to predict."""
    return noise - clean


def logit_normal(normals: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
    """Training times in (0, 1), densest in the middle, from draws of N(0, 1) (Esser et al. 2024, section 3.1)."""
    return torch.sigmoid(normals if normals.dtype == torch.float64 else normals.float())


def shift_exponent(num_tokens: int, points: tuple[tuple[int, float], tuple[int, float]] = FLUX1_SHIFT) -> float:
    """μ for a picture of so many tokens, on the line through two ``points``, beyond them too: of FLUX.1 0.5 at 256 and
    1.15 at 4096."""
    (few, low), (many, high) = points
    slope = (high - low) / (many - few)
    return num_tokens * slope + (low - slope * few)


def shift_exponent_of_flux2(num_tokens: int, num_steps: int) -> float:
    """FLUX.2's μ, which also falls with the number of steps: BFL's fit (diffusers' ``compute_empirical_mu``)."""
    few, many = _FLUX2_AT_10[0] * num_tokens + _FLUX2_AT_10[1], _FLUX2_AT_200[0] * num_tokens + _FLUX2_AT_200[1]
    if num_tokens > _FLUX2_LARGE:
        return many
    return many + (many - few) / 190 * (num_steps - 200)


def shift(time: Float[Tensor, "*shape"], exponent: float) -> Float[Tensor, "*shape"]:
    """Times moved towards noise, the more so the larger μ, the ``exponent`` (Esser et al. 2024, section 5.3.2).

    ``t' = e^μ / (e^μ + 1/t - 1)``, increasing, with 0 and 1 fixed exactly.
    """
    growth = math.exp(exponent)
    # The numerator is a tensor: for a number, torch multiplies by the reciprocal, and 1 would not stay 1.
    return torch.full_like(time, growth) / (growth + (1 / time - 1))


def schedule(num_steps: int, exponent: float | None, last: float | None = None) -> Float[Tensor, "times"]:
    """The ``num_steps + 1`` times of sampling from 1 to 0: evenly spaced, then shifted (dev, Fill) or not (schnell).

    ``exponent`` is that of the shift; None: there is none. ``last`` is where the last step before 0 begins, to which
    all times are stretched (Qwen-Image); None: they are not, and it begins at ``1 / num_steps`` before the shift, as in
    FLUX.

    Raises:
        ValueError: there is no step, or a single one is to begin at ``last`` and at 1.
    """
    least = 1 if last is None else 2
    if num_steps < least:
        raise ValueError(f"num_steps must be at least {least}, got {num_steps}")
    even = (1 - torch.arange(num_steps, dtype=torch.float64) / num_steps).float()
    times = even if exponent is None else shift(even, exponent)
    if last is not None:
        times = 1 - (1 - times) / ((1 - times[-1:]) / torch.tensor(1 - last))
    return torch.cat((times, torch.zeros(1)))


def _like(time: Float[Tensor, "batch"], values: Float[Tensor, "batch *shape"]) -> Tensor:
    """One time per sample, to be broadcast over the sample's other axes."""
    return time.reshape(-1, *[1] * (values.ndim - 1))
