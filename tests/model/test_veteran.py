"""The veteran loss brings the newest expert's share to ρ, from wherever the router stands."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cologen.model.router import NoisyRouter
from cologen.model.routing import Routing
from cologen.model.veteran import newest_usage, veteran_loss

RHO = 0.8


def test_usage_is_the_hard_share_with_the_gradient_of_the_soft_one():
    probability = torch.tensor([[[0.3, 0.7]], [[0.9, 0.1]], [[0.4, 0.6]], [[0.8, 0.2]]], requires_grad=True)
    usage = newest_usage(Routing(probability))
    assert usage == 0.5
    usage.backward()
    assert torch.equal(probability.grad, torch.tensor([0.0, 0.25]).expand(4, 1, 2))


@pytest.mark.parametrize(("share", "slope"), [(0.5, -0.5), (0.9, 0.5), (0.8, 0.0)])
def test_the_loss_is_the_distance_and_points_to_rho(share: float, slope: float):
    usage = torch.tensor(share, requires_grad=True)
    loss = veteran_loss(usage, rho=RHO, alpha=0.5)
    loss.backward()
    assert abs(loss.item() - 0.5 * abs(share - RHO)) < 1e-7
    assert usage.grad == slope


@pytest.mark.parametrize("by_token", [False, True], ids=["sample", "token"])
@pytest.mark.parametrize("gap", [0.0, 6.0, -6.0, -8.0], ids=["uniform", "newcomer alone", "veterans alone", "fresh"])
def test_usage_settles_at_rho_from_anywhere(by_token: bool, gap: float):
    """A router that has collapsed, by a gap of 6 or 8 between its logits, comes back."""
    shares = usage_while_training(by_token, gap)
    assert abs(shares[-100:].mean() - RHO) <= 0.03


def usage_while_training(by_token: bool, gap: float, num_steps: int = 400, lr: float = 3e-3) -> Tensor:
    """U_t step by step; the newest of three experts begins ``gap`` over the others, at what all samples share."""
    num_blocks, batch, tokens, dim = 8, 16, 6, 64
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(num_blocks, 1, 1, dim, generator=generator)
    hidden = shared + torch.randn(num_blocks, batch, tokens, dim, generator=generator)
    hidden = hidden if by_token else hidden.mean(dim=2)
    routers = [NoisyRouter(dim, 3, dtype=torch.float32) for _ in range(num_blocks)]
    for router, along in zip(routers, shared[:, 0, 0], strict=True):
        router.choose.data[-1] = gap * along / along.square().sum()
    optimizer = torch.optim.Adam([weight for router in routers for weight in router.parameters()], lr=lr)
    shares = []
    for _ in range(num_steps):
        noise = torch.randn(*hidden.shape[:-1], 3, generator=generator)
        each = [router(seen, epsilon, 0.0) for router, seen, epsilon in zip(routers, hidden, noise, strict=True)]
        usage = newest_usage(Routing(torch.stack(each, dim=1)))
        optimizer.zero_grad()
        veteran_loss(usage, rho=RHO, alpha=0.5).backward()
        optimizer.step()
        shares.append(usage.detach())
    return torch.stack(shares)
