"""Experts: low-rank residuals that a stage adds to a source's keys and values (eq. 4).

Letters: b batch, s source tokens, d width of the attention, r rank, n experts, p the pair (key, value).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Residuals = Float[Tensor, "2 batch source_tokens dim"]
"""What is added to the keys (first) and to the values (second), before heads are split."""


class KVExpert(nn.Module):
    """E_k: keys and values of low rank, each with its own pair of matrices.

    ``up`` begins at zero, so that a fresh expert changes nothing; ``down`` has to be drawn before training.
    """

    def __init__(self, dim: int, rank: int, *, dtype: torch.dtype, device: torch.device | None = None) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.zeros(2, rank, dim, dtype=dtype, device=device))
        self.up = nn.Parameter(torch.zeros(2, dim, rank, dtype=dtype, device=device))

    def forward(
        self, dtype: torch.dtype | None = None
    ) -> tuple[Float[Tensor, "2 rank dim"], Float[Tensor, "2 dim rank"]]:
        """Copies of ``down`` and ``up`` in ``dtype`` (None: their own): offloaded weights are present only during a
        call."""
        dtype = dtype or self.down.dtype
        return self.down.to(dtype, copy=True), self.up.to(dtype, copy=True)

    def draw(self, generator: torch.Generator) -> None:
        """Draw ``down`` uniformly from ±1/√dim, as LoRA does, on the CPU: the same numbers on every device."""
        bound = 1 / sqrt(self.down.shape[-1])
        numbers = torch.empty(self.down.shape).uniform_(-bound, bound, generator=generator)
        with torch.no_grad():
            self.down.copy_(numbers)


def residual_of_chosen(
    experts: Sequence[KVExpert],
    hidden: Float[Tensor, "batch source_tokens dim"],
    choice: Int[Tensor, "batch"],
    weight: Float[Tensor, "batch"],
) -> Residuals:
    """``weight · E_choice(h)``, one expert per sample; its matrices are gathered, so further experts cost nothing."""
    down, up = _matrices(experts, hidden.dtype)
    down, up = down[choice], up[choice]
    low = torch.einsum("bsd,bprd->pbsr", hidden, down) * weight.to(hidden.dtype)[:, None, None]
    return torch.einsum("pbsr,bpdr->pbsd", low, up)


def residual_per_token(
    experts: Sequence[KVExpert],
    hidden: Float[Tensor, "batch source_tokens dim"],
    choice: Int[Tensor, "batch source_tokens"],
    weight: Float[Tensor, "batch source_tokens"],
) -> Residuals:
    """``weight · E_choice(h)``, one expert per token.

    The low-rank halves of all experts are computed and those not chosen set to zero: at five experts of rank 128 that
    is one fourteenth of a FLUX block, and less than sorting tokens by expert.
    """
    down, up = _matrices(experts, hidden.dtype)
    gate = nn.functional.one_hot(choice, len(experts)).to(hidden.dtype) * weight.to(hidden.dtype)[..., None]
    low = torch.einsum("bsd,nprd->pbsnr", hidden, down) * gate[..., None]
    return torch.einsum("pbsnr,npdr->pbsd", low, up)


def _matrices(
    experts: Sequence[KVExpert], dtype: torch.dtype
) -> tuple[Float[Tensor, "experts 2 rank dim"], Float[Tensor, "experts 2 dim rank"]]:
    downs, ups = zip(*(expert(dtype) for expert in experts), strict=True)
    return torch.stack(downs), torch.stack(ups)
