"""Veteran gate routing supervision: the usage of the newest expert, and the loss that pulls it to ρ (eq. 8 to 10).

A stage that replays samples of earlier tasks may have a gate for each task (ours): all choices of a task are to take
the expert of its own stage. Of all samples together the newest expert is then to be taken by the share that are of the
new task. The losses of the gates are added up, so a task with few samples is pulled as strongly as one with many, and
routers learn to tell tasks apart. With samples of the new task alone it is the paper's gate with ρ = 1.

U_t and the sign of U_t − ρ belong to the global batch, so they are known only when its last micro batch has been
routed. So the veteran loss is not part of a micro batch's loss: what it needs is summed up in a ``Usage``, and its
gradient is added to that of L_task at the end of the step.

The choice e_i of eq. 8 has no gradient. The straight-through estimate takes the gradient of the gate's expert's
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
    """How often each gate's expert was chosen, as integers, so that sums are exact in any order.

    There is one gate, whose expert is the newest; or, with ``Routing.task_experts``, one for every expert.
    """

    chosen: Int[Tensor, "gates"]
    choices: Int[Tensor, "gates"]
    """Samples times blocks, times tokens where each is routed for itself; 0 where a gate has no samples."""
    slope: Float[Tensor, "gates blocks 2 experts dim"] | None
    """The sum over a gate's choices of the gradient of its expert's probability; None if it was not in training."""

    @classmethod
    def of(cls, routing: Routing) -> Usage:
        """The usage of one forward pass."""
        choice, num_experts = routing.choice.flatten(1), routing.num_experts
        if routing.task_experts is None:
            chosen = (choice == num_experts - 1).sum()[None]
            return cls(chosen, torch.full_like(chosen, choice.numel()), routing.slope)
        hits = (choice == routing.task_experts[:, None]).sum(dim=1)
        samples = torch.arange(num_experts, device=choice.device)[:, None] == routing.task_experts
        return cls((samples * hits).sum(dim=1), samples.sum(dim=1) * choice.shape[1], routing.slope)

    def __add__(self, other: Usage) -> Usage:
        slope = None if self.slope is None or other.slope is None else self.slope + other.slope
        return Usage(self.chosen + other.chosen, self.choices + other.choices, slope)

    @classmethod
    def total(cls, routings: Iterable[Routing]) -> Usage:
        """The usage of a global batch: all micro batches (one or more) of all processes."""
        first, *others = (cls.of(routing) for routing in routings)
        return sum(others, start=first).of_all_processes()

    def of_all_processes(self) -> Usage:
        """The sum over all processes (collective)."""
        if not dist.is_available() or not dist.is_initialized():
            return self
        counts = torch.stack([self.chosen, self.choices])
        slope = None if self.slope is None else self.slope.clone()
        for each in (counts,) if slope is None else (counts, slope):
            dist.all_reduce(each)
        return Usage(counts[0], counts[1], slope)

    @property
    def share(self) -> float | None:
        """U_t (eq. 8), hard: of the newest expert's gate; None where that has no samples."""
        return int(self.chosen[-1]) / int(self.choices[-1]) if self.choices[-1] else None


@dataclass(frozen=True, slots=True, kw_only=True)
class VeteranGate:
    """ρ and α of eq. 9; where each task has a gate, of every one of them."""

    rho: float
    alpha: float

    def loss(self, usage: Usage) -> float:
        """α·|U_t − ρ|, added up over the gates; exactly 0 where every U_t is ρ."""
        return self.alpha * float(sum(map(abs, self._distances(usage))))

    def sides(self, usage: Usage) -> tuple[int, ...]:
        """The sign of each gate's U_t − ρ."""
        return tuple((distance > 0) - (distance < 0) for distance in self._distances(usage))

    def _distances(self, usage: Usage) -> list[Fraction]:
        """U_t − ρ of each gate, exactly, with ρ as the decimal that was written: 4 of 5 choices are 0.8. Of a gate
        without samples it is 0."""
        rho, counts = Fraction(repr(self.rho)), torch.stack([usage.chosen, usage.choices]).T.tolist()
        return [Fraction(chosen, choices) - rho if choices else Fraction(0) for chosen, choices in counts]

    @torch.no_grad()
    def add_gradient(self, model: nn.Module, usage: Usage) -> None:
        """Add the gradient of the loss to that of the model's routers, which may be sharded.

        Raises:
            ValueError: the usage is not of the model in training.
        """
        sides, routers = self.sides(usage), [each for each in model.modules() if isinstance(each, NoisyRouter)]
        if usage.slope is None or usage.slope.shape[1] != len(routers):
            raise ValueError(f"the usage has no slope for all {len(routers)} routers: was the model in training?")
        if not any(sides) or not self.alpha:
            return
        counts: list[int] = usage.choices.tolist()
        scales = [side * self.alpha / max(choices, 1) for side, choices in zip(sides, counts, strict=True)]
        gradients = torch.tensordot(usage.slope.new_tensor(scales), usage.slope, dims=1)
        for router, slopes in zip(routers, gradients, strict=True):
            for weight, slope in zip((router.choose, router.disturb), slopes, strict=True):
                gradient = _placed(slope.to(weight.dtype), weight)
                weight.grad = gradient if weight.grad is None else weight.grad.add_(gradient)


def _placed(value: Tensor, weight: Tensor) -> Tensor:
    """A tensor that every process holds whole, sharded like ``weight``, whose shape it has."""
    if isinstance(weight, DTensor):
        return distribute_tensor(value, weight.device_mesh, weight.placements, src_data_rank=None)
    return value
