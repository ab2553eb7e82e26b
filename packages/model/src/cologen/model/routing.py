"""The routers' decisions, for losses and logs: usage, entropy and gate weight, per block and overall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Routing:
    """softmax(w) of every block for a batch of sources; per token too, where tokens are routed one by one."""

    probability: Float[Tensor, "batch blocks *tokens experts"]
    slope: Float[Tensor, "gates blocks 2 experts dim"] | None = None
    """``NoisyRouter.slope`` of every block, over all that is in ``probability``; None outside training."""
    task_experts: Int[Tensor, "batch"] | None = None
    """The expert of each sample's task, where each task has a veteran gate; None: one gate, for the newest (eq. 8)."""

    @classmethod
    def join(cls, routings: Sequence[Routing]) -> Routing:
        """Concatenate the routings of several sources or batches; tokens lose their order if their numbers differ."""
        probabilities = [routing.probability for routing in routings]
        experts = [routing.task_experts for routing in routings if routing.task_experts is not None]
        if experts and len(experts) < len(routings):
            raise ValueError("some routings have a veteran gate for each task, and some have one for all")
        if len({probability.shape[1:] for probability in probabilities}) > 1:
            if experts:
                experts = [each.repeat(of.shape[2]) for each, of in zip(experts, probabilities, strict=True)]
            probabilities = [torch.cat(probability.unbind(2)) for probability in probabilities]
        slopes = [routing.slope for routing in routings if routing.slope is not None]
        return cls(
            torch.cat(probabilities),
            torch.stack(slopes).sum(dim=0) if len(slopes) == len(routings) else None,
            torch.cat(experts) if experts else None,
        )

    @property
    def num_experts(self) -> int:
        """N."""
        return self.probability.shape[-1]

    @property
    def choice(self) -> Int[Tensor, "batch blocks *tokens"]:
        """e_i: the index of the chosen expert."""
        return self.probability.argmax(dim=-1)

    @property
    def weight(self) -> Float[Tensor, "batch blocks *tokens"]:
        """The gate weight that scales the chosen expert's residual (eq. 4)."""
        return self.probability.amax(dim=-1)

    def usage(self) -> Float[Tensor, "blocks experts"]:
        """The share of hard choices of each expert in each block."""
        chosen = torch.nn.functional.one_hot(self.choice, self.num_experts).to(self.probability.dtype)
        return _per_block(chosen)

    def entropy(self) -> Float[Tensor, "blocks"]:
        """The entropy of each block's router, in nats, from 0 to ln N."""
        return _per_block(torch.special.entr(self.probability).sum(dim=-1, keepdim=True))[:, 0]

    def gate_weight(self) -> Float[Tensor, "blocks"]:
        """The mean weight of what was chosen, from 1/N to 1."""
        return _per_block(self.weight[..., None])[:, 0]


def _per_block(values: Float[Tensor, "batch blocks *tokens channels"]) -> Float[Tensor, "blocks channels"]:
    return values.detach().movedim(1, 0).flatten(1, -2).mean(dim=1)
