"""Veteran gate routing supervision: how often the newest expert is chosen, and how far that is from ρ (eq. 8 to 10)."""

from __future__ import annotations

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor

from cologen.model.routing import Routing


def newest_usage(routing: Routing) -> Float[Tensor, ""]:
    """U_t over batch and blocks (eq. 8): the hard share forward, the gradient of the softmax probability backward.

    The indicator has no gradient of its own; this is the straight-through estimate.
    """
    soft = routing.probability[..., -1].mean()
    return soft + (hard_usage(routing).to(soft.dtype) - soft).detach()


def hard_usage(routing: Routing) -> Float[Tensor, ""]:
    """U_t as eq. 8 counts it, without a gradient: the share of choices that are the newest expert."""
    return (routing.choice == routing.num_experts - 1).double().mean()


def veteran_loss(
    usage: Float[Tensor, ""], *, rho: float, alpha: float, group: dist.ProcessGroup | None = None
) -> Float[Tensor, ""]:
    """α·|U_t − ρ| (eq. 9), U_t being the mean over all processes of ``group`` (None: the default one, if there is any).

    On which side of ρ the usage lies is a question to the whole batch: were every process to answer for its own share,
    their gradients would not be those of one process. Batches have to be equally large on all of them.
    """
    overall = usage.detach().clone()
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(overall, group=group)
        overall /= dist.get_world_size(group)
    own_gradient = torch.sign(overall - rho) * (usage - usage.detach())
    return alpha * ((overall - rho).abs() + own_gradient)
