"""Veteran gate routing supervision: the usage of the newest expert, and the loss that pulls it to ρ (eq. 8 to 10).

U_t and the sign of U_t − ρ belong to the global batch, so they are known only when its last micro batch has been
routed. So the veteran loss is not part of a micro batch's loss: what it needs is summed up in a ``Usage``, and its
gradient is added to that of L_task at the end of the step.

The choice e_i of eq. 8 has no gradient. The straight-through estimate takes the gradient of the newest expert's
probability by the router's weights, with the router's input held fixed. So the veteran loss trains only routers, and
experts learn only from L_task. The gradient is known in the forward pass, up to its sign.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import torch
import torch.distributed as dist
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from cologen.model.router import NoisyRouter
from cologen.model.routing import Routing


@dataclass(frozen=True, slots=True)
class Usage:
    """How often the newest expert was chosen, as integers, so that sums are exact in any order."""

    chosen: Int[Tensor, ""]
    choices: Int[Tensor, ""]
    """Samples times blocks, times tokens where each is routed for itself."""
    slope: Float[Tensor, "blocks 2 experts dim"] | None
    """The sum over all choices of the gradient of the newest expert's probability; None if it was not in training."""

    @classmethod
    def of(cls, routing: Routing) -> Usage:
        """The usage of one forward pass."""
        chosen = (routing.choice == routing.num_experts - 1).sum()
        return cls(chosen, torch.full_like(chosen, routing.choice.numel()), routing.slope)

    def __add__(self, other: Usage) -> Usage:
        slope = None if self.slope is None or other.slope is None else self.slope + other.slope
        return Usage(self.chosen + other.chosen, self.choices + other.choices, slope)

    @classmethod
    def total(cls, routings: Iterable[Routing], group: dist.ProcessGroup | None = None) -> Usage:
        """The usage of a global batch: all micro batches (one or more) of all processes of ``group`` (None: the
        default)."""
        parts = [Usage.of(routing) for routing in routings]
        own = parts[0]
        for part in parts[1:]:
            own += part
        if not dist.is_available() or not dist.is_initialized():
            return own
        counts = torch.stack([own.chosen, own.choices])
        dist.all_reduce(counts, group=group)
        if own.slope is not None:
            dist.all_reduce(own.slope, group=group)
        return cls(counts[0], counts[1], own.slope)

    @property
    def share(self) -> float:
        """U_t (eq. 8), hard."""
        return int(self.chosen) / int(self.choices)


@dataclass(frozen=True, slots=True, kw_only=True)
class VeteranGate:
    """ρ and α of eq. 9."""

    rho: float
    alpha: float

    def loss(self, usage: Usage) -> float:
        """α·|U_t − ρ|; exactly 0 where U_t is ρ."""
        return self.alpha * abs(usage.share - self.rho) if self.side(usage) else 0.0

    def side(self, usage: Usage) -> int:
        """The sign of U_t − ρ, computed in integers with ρ as the decimal that was written: 4 of 5 choices are 0.8."""
        distance = int(usage.chosen) - Fraction(repr(self.rho)) * int(usage.choices)
        return (distance > 0) - (distance < 0)

    @torch.no_grad()
    def add_gradient(self, model: nn.Module, usage: Usage) -> None:
        """Add the gradient of the loss to that of the model's routers, which may be sharded.

        Raises:
            ValueError: the usage is not of the model in training.
        """
        side, routers = self.side(usage), [each for each in model.modules() if isinstance(each, NoisyRouter)]
        if usage.slope is None or len(usage.slope) != len(routers):
            raise ValueError(f"the usage has no slope for all {len(routers)} routers: was the model in training?")
        if not side or not self.alpha:
            return
        gradients = side * self.alpha / int(usage.choices) * usage.slope
        for router, slopes in zip(routers, gradients, strict=True):
            for weight, slope in zip((router.choose, router.disturb), slopes, strict=True):
                gradient = _placed(slope.to(weight.dtype), weight)
                weight.grad = gradient if weight.grad is None else weight.grad.add_(gradient)


def _placed(value: Tensor, weight: Tensor) -> Tensor:
    """A tensor that every process holds whole, sharded like ``weight``, whose shape it has."""
    if isinstance(weight, DTensor):
        return distribute_tensor(value, weight.device_mesh, weight.placements, src_data_rank=None)
    return value
