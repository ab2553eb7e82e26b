"""The noisy router: chooses the expert of a source (eq. 2 and 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


class NoisyRouter(nn.Module):
    """G: logits over the experts, with learned noise in training and none at inference.

    Its weights stay in float32 at least, whatever the model's precision, and so do its results: rounded to bf16, the
    router of a FLUX block chooses another expert for 0.2 % of its inputs. ``choose`` and ``disturb`` are W_r and W_n of
    eq. 2, transposed: one row per expert, zero at first.
    """

    def __init__(self, dim: int, num_experts: int, *, dtype: torch.dtype, device: torch.device | None = None) -> None:
        super().__init__()
        dtype = torch.promote_types(dtype, torch.float32)
        self.choose = nn.Parameter(torch.zeros(num_experts, dim, dtype=dtype, device=device))
        self.disturb = nn.Parameter(torch.zeros(num_experts, dim, dtype=dtype, device=device))

    def forward(
        self,
        hidden: Float[Tensor, "*place dim"],
        noise: Float[Tensor, "*place experts"] | None,
        newcomer_bias: float,
    ) -> Float[Tensor, "*place experts"]:
        """softmax(w): the probability of each expert.

        Args:
            hidden: what is to be routed: the mean of a sample's source tokens, or each token.
            noise: ε of eq. 2, standard normal; None at inference.
            newcomer_bias: added to the newest expert's logit; ``NEWCOMER_BIAS`` when it joins, 0 after its warm-up.
        """
        precision = torch.promote_types(hidden.dtype, torch.float32)
        hidden = hidden.to(precision)
        logits = F.linear(hidden, self.choose.to(precision))
        if noise is not None:  # eq. 2
            logits = logits + noise.to(precision) * F.softplus(F.linear(hidden, self.disturb.to(precision)))
        if newcomer_bias and logits.shape[-1] > 1:
            logits = torch.cat([logits[..., :-1], logits[..., -1:] + newcomer_bias], dim=-1)
        return logits.softmax(dim=-1)

    def slope(
        self,
        hidden: Float[Tensor, "batch *tokens dim"],
        noise: Float[Tensor, "batch *tokens experts"] | None,
        probability: Float[Tensor, "batch *tokens experts"],
        task_experts: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "gates 2 experts dim"]:
        """The gradient of a gate's expert's probability by ``choose`` and ``disturb``, summed over the gate's samples.

        By default there is one gate, whose expert is the newest. With ``task_experts``, an expert for each sample,
        there is one for every expert, in their order, and some may have no samples.

        The input is held fixed, so this is the whole gradient by the router's own weights, in closed form: it needs no
        backward pass. ``probability`` is what ``forward`` gave for the same arguments.
        """
        probability = probability.detach()
        hidden = hidden.detach().to(probability.dtype)
        num_experts = probability.shape[-1]
        if task_experts is None:
            asked = torch.zeros_like(probability)
            asked[..., -1] = 1
        else:
            per_sample = F.one_hot(task_experts, num_experts).to(probability)
            asked = per_sample.view(-1, *[1] * (probability.ndim - 2), num_experts).expand_as(probability)
        by_logit = (probability * asked).sum(dim=-1, keepdim=True) * (asked - probability)  # a row of the Jacobian
        if noise is None:
            by_disturbance = torch.zeros_like(by_logit)
        else:  # softplus' = sigmoid
            disturbance = F.linear(hidden, self.disturb.detach().to(probability.dtype))
            by_disturbance = by_logit * noise.to(probability.dtype) * disturbance.sigmoid()
        both, hidden = torch.stack([by_logit, by_disturbance]).flatten(1, -2), hidden.flatten(0, -2)
        gates = (asked[..., -1:] if task_experts is None else asked).flatten(0, -2)
        return torch.stack([(both * of_gate[:, None]).mT @ hidden for of_gate in gates.unbind(dim=-1)])

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """What ``.to`` and ``.half`` call; unlike other modules, this one does not go below float32."""
        before = [rows.data for rows in self.parameters()]
        applied = super()._apply(fn, recurse)
        for rows, kept in zip(self.parameters(), before, strict=True):
            if torch.promote_types(rows.dtype, torch.float32) != rows.dtype:
                rows.data = kept.to(rows.device, torch.promote_types(kept.dtype, torch.float32))
        return applied

    def grow(self) -> None:
        """Add an expert with rows of zeros; the rows of the others stay."""
        self.choose, self.disturb = (
            nn.Parameter(torch.cat([rows.detach(), rows.new_zeros(1, rows.shape[1])])) for rows in self.parameters()
        )
