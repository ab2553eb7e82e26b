"""The steps from noise to picture: those of a scheduler of diffusers, and Euler's over the times of ``flow``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from diffusers.pipelines.flux.pipeline_flux import calculate_shift, retrieve_timesteps
from jaxtyping import Float
from torch import Tensor

from cologen.model import flow
from cologen.model.adapter_index import BaseKind

_TIMES = 1000
"""A time in [0, 1] is multiplied by this to give a scheduler's timestep."""


@runtime_checkable
class Step(Protocol):
    """One denoising step: the time at which the model runs, and the latents that follow from its output."""

    def time(self, latents: Float[Tensor, "draws tokens dim"]) -> Float[Tensor, "draws"]:
        """The time in [0, 1]."""
        ...

    def moved(
        self, latents: Float[Tensor, "draws tokens dim"], velocity: Float[Tensor, "draws tokens dim"]
    ) -> Float[Tensor, "draws tokens dim"]:
        """The latents after the step."""
        ...


@dataclass(frozen=True, slots=True)
class SchedulerStep:
    """A step of a scheduler of diffusers, in the precision of the latents."""

    scheduler: Any
    timestep: Float[Tensor, ""]

    def time(self, latents: Float[Tensor, "draws tokens dim"]) -> Float[Tensor, "draws"]:
        """The timestep as a time in [0, 1]."""
        return self.timestep.expand(len(latents)).to(latents.dtype) / _TIMES

    def moved(
        self, latents: Float[Tensor, "draws tokens dim"], velocity: Float[Tensor, "draws tokens dim"]
    ) -> Float[Tensor, "draws tokens dim"]:
        """The latents after the scheduler's step."""
        return self.scheduler.step(velocity, self.timestep, latents, return_dict=False)[0].to(latents.dtype)


@dataclass(frozen=True, slots=True)
class EulerStep:
    """Euler's step from one time in [0, 1] to another; the latents are in float32 whatever the model's precision."""

    now: float
    then: float

    @classmethod
    def all(cls, times: Float[Tensor, "times"]) -> list[EulerStep]:
        """The steps between the times of ``flow.schedule``."""
        return [cls(*pair) for pair in pairwise(times.tolist())]

    def time(self, latents: Float[Tensor, "draws tokens dim"]) -> Float[Tensor, "draws"]:
        """``now``, for every picture."""
        return torch.full_like(latents[:, 0, 0], self.now)

    def moved(
        self, latents: Float[Tensor, "draws tokens dim"], velocity: Float[Tensor, "draws tokens dim"]
    ) -> Float[Tensor, "draws tokens dim"]:
        """The latents, moved along the velocity."""
        return latents + (self.then - self.now) * velocity.float()


def step_times(
    scheduler: Any,
    num_steps: int,
    sigmas: Sequence[float] | None,
    latents: Float[Tensor, "draws tokens dim"],
    base_kind: BaseKind = "flux.1",
) -> Float[Tensor, "steps"]:
    """The timesteps of a call as FLUX's pipeline sets them: shifted by the number of tokens, where the base does that.

    FLUX.2 also shifts by the number of steps.

    Raises:
        ValueError: there is no step, or a single one where the scheduler has a ``shift_terminal``; or a sigma is not
            finite.
    """
    if num_steps < 1:
        raise ValueError(f"there must be at least one step, got {num_steps}")
    config, asked = scheduler.config, None if sigmas is None else list(sigmas)
    if config.get("shift_terminal") and (num_steps if asked is None else len(asked)) < 2:
        raise ValueError("the scheduler's times end at its shift_terminal: there must be at least two steps, got 1")
    if asked is not None and not (asked and np.isfinite(asked).all()):
        raise ValueError(f"sigmas must be finite numbers, at least one, got {asked}")
    if asked is None and not config.get("use_flow_sigmas", False):
        asked = np.linspace(1.0, 1 / num_steps, num_steps).tolist()
    if base_kind == "flux.2":
        mu = flow.shift_exponent_of_flux2(latents.shape[1], num_steps)
    else:
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
