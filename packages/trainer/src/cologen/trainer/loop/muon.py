"""Muon: matrices move along their momentum made orthogonal, all other weights by AdamW.

An expert's two matrices, for keys and for values, are stacked in one weight, and each is made orthogonal by itself.

Jordan et al. 2024. A matrix's momentum is replaced by the nearest matrix with equal singular values, by five
Newton-Schulz steps, and scaled so that the same learning rates serve as for AdamW (Liu et al. 2025, section 2.2).
``torch.optim.Muon`` iterates in bfloat16 alone, which on CPUs without such instructions takes ten times as long as
float32; here matrices of one shape are iterated together, in float32.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cologen.trainer.loop.learning_rates import grouped
from cologen.trainer.recipes.optimizer import Optimizer

MOMENTUM = 0.95
_STEPS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic x → ax + bx³ + cx⁵, chosen for its slope at 0: five steps bring singular values near 1."""

_ADAMW_RMS = 0.2
"""The root mean square of a typical AdamW update, in learning rates."""

_Buffers = dict[torch.Size, list[nn.Parameter]]


class Muon(torch.optim.Optimizer):
    """Over named weights: the matrices of the transformer's blocks by Muon, all others by AdamW."""

    def __init__(self, weights: Mapping[str, nn.Parameter], settings: Optimizer, router_rate: float = 1.0) -> None:
        matrices = [weight for name, weight in weights.items() if moves_by_muon(name, weight)]
        others = {name: weight for name, weight in weights.items() if not moves_by_muon(name, weight)}
        super().__init__([{"params": matrices}], {"lr": 0.0, "weight_decay": settings.weight_decay})
        self._others = torch.optim.AdamW(
            grouped(others, router_rate), lr=0.0, betas=settings.betas, eps=settings.eps,
            weight_decay=settings.weight_decay,
        )  # fmt: skip
        self._others.state = self.state
        self.param_groups += self._others.param_groups

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step of all weights that have gradients."""
        assert closure is None
        group: dict[str, Any] = self.param_groups[0]
        by_shape: _Buffers = defaultdict(list)
        for weight in group["params"]:
            if weight.grad is not None:
                by_shape[weight.shape].append(weight)
        for shape, weights in by_shape.items():
            momenta = torch.stack([self._momentum(weight) for weight in weights])
            moves = orthogonal(momenta.view(-1, *shape[-2:])).view(momenta.shape)
            size = _ADAMW_RMS * max(shape[-2:]) ** 0.5
            for weight, move in zip(weights, moves, strict=True):
                weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(move, alpha=-group["lr"] * size)
        self._others.step()

    def _momentum(self, weight: nn.Parameter) -> Tensor:
        """Nesterov's: the gradient carried one step ahead by the momentum that it has just joined."""
        assert weight.grad is not None
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        momentum = state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
        return weight.grad.lerp(momentum, MOMENTUM)


def moves_by_muon(name: str, weight: Tensor) -> bool:
    """Whether this weight is a matrix inside a block, or a stack of them; a router's rows are logits' directions, each
    its own, and no matrix."""
    return weight.ndim >= 2 and "blocks." in name and ".router." not in name


def orthogonal(matrices: Float[Tensor, "matrices rows columns"]) -> Float[Tensor, "matrices rows columns"]:
    """Each matrix with all singular values brought near 1, its singular vectors kept; zeros stay zeros."""
    if matrices.shape[1] > matrices.shape[2]:
        return orthogonal(matrices.mT).mT
    a, b, c = _COEFFICIENTS
    x = matrices / matrices.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x
