"""Progressive Representation Weaving in one attention block: a router and its pool of experts (eq. 2 to 4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, cast, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cologen.model.experts import KVExpert, Residuals, residual_of_chosen, residual_per_token
from cologen.model.router import NoisyRouter

Granularity = Literal["sample", "token"]
"""What is routed as one: a sample's source tokens by their mean (eq. 8 counts "the assigned expert for block i"), or
each token for itself."""


class ProgressiveRepresentationWeaving(nn.Module):
    """``attn.prw``: the residuals of a source's keys and values.

    No name contains "lora" or "alpha": diffusers' LoRA loaders would take such weights for their own.
    """

    def __init__(self, dim: int, rank: int, scale: float, granularity: Granularity) -> None:
        super().__init__()
        if granularity not in get_args(Granularity):
            raise ValueError(f"routing is {granularity!r}: expected one of {', '.join(get_args(Granularity))}")
        self.dim, self.rank, self.scale, self.granularity = dim, rank, scale, granularity
        self.strength = 1.0  # of the residuals; see ExpertPool.set_strength
        self.experts = nn.ModuleList()
        self.router: NoisyRouter | None = None

    def add_expert(self, *, dtype: torch.dtype, device: torch.device | None = None) -> KVExpert:
        """One more expert, which is zero until its ``down`` is drawn or loaded."""
        expert = KVExpert(self.dim, self.rank, dtype=dtype, device=device)
        self.experts.append(expert)
        if self.router is None:
            self.router = NoisyRouter(self.dim, 1, dtype=dtype, device=device)
        else:
            self.router.grow()
        return expert

    def forward(
        self,
        hidden: Float[Tensor, "batch source_tokens dim"],
        noise: Float[Tensor, "batch *tokens experts"] | None = None,
        newcomer_bias: float = 0.0,
        task_experts: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Residuals, Float[Tensor, "batch *tokens experts"], Float[Tensor, "gates 2 experts dim"] | None]:
        """Returns the residuals of keys and values, softmax(w) (its largest entry is the choice, eq. 3), and its slope.

        The slope is ``NoisyRouter.slope``, for the veteran loss; None outside training.
        """
        if self.router is None:
            raise ValueError("there is no expert to route to: call add_expert first")
        by_token = self.granularity == "token"
        routed = hidden if by_token else hidden.mean(dim=1)
        probability = self.router(routed, noise, newcomer_bias)
        slope = self.router.slope(routed, noise, probability, task_experts) if self.training else None
        weight, choice = probability.max(dim=-1)
        residual = residual_per_token if by_token else residual_of_chosen
        experts = list(cast(Iterable[KVExpert], self.experts))
        return residual(experts, hidden, choice, self.scale * self.strength * weight), probability, slope
