"""Muon moves matrices by orthogonal steps of AdamW's size, and leaves all other weights to AdamW."""

import torch
from torch import nn

from cologen.trainer.loop.muon import MOMENTUM, Muon, moves_by_muon, orthogonal
from cologen.trainer.recipes.optimizer import Optimizer

SETTINGS = Optimizer(kind="muon", betas=(0.9, 0.99), weight_decay=0.1)


def _weights(seed: int = 0) -> dict[str, nn.Parameter]:
    draw = torch.Generator().manual_seed(seed)
    shapes = {
        "blocks.0.a.weight": (6, 4),
        "blocks.1.a.weight": (6, 4),
        "blocks.0.b.weight": (4, 8),
        "blocks.0.a.bias": (6,),
        "blocks.0.prw.experts.0.down": (2, 4, 8),
        "blocks.0.prw.router.choose": (3, 8),
        "embed.weight": (5, 3),
    }
    return {name: nn.Parameter(torch.randn(shape, generator=draw)) for name, shape in shapes.items()}


def _give_gradients(weights: dict[str, nn.Parameter], seed: int) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    for weight in weights.values():
        weight.grad = torch.randn(weight.shape, generator=draw)
    return {name: weight.grad.clone() for name, weight in weights.items() if weight.grad is not None}


def test_singular_values_come_near_one_and_singular_vectors_stay():
    matrices = torch.randn(3, 16, 40, generator=torch.Generator().manual_seed(1))
    for before, after in zip(matrices, orthogonal(matrices), strict=True):
        u, s, v = torch.linalg.svd(after, full_matrices=False)
        assert s.min() > 0.6 and s.max() < 1.3
        left, _, right = torch.linalg.svd(before, full_matrices=False)
        assert torch.allclose(u @ v, left @ right, atol=0.02)


def test_a_matrix_is_treated_as_its_transpose_is_and_zeros_stay():
    tall = torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(2))
    assert torch.equal(orthogonal(tall).mT, orthogonal(tall.mT))
    assert torch.equal(orthogonal(torch.zeros(1, 4, 4)), torch.zeros(1, 4, 4))


def test_two_steps_are_those_of_the_definition():
    weights, expected = _weights(), {name: weight.detach().clone() for name, weight in _weights().items()}
    optimizer = Muon(weights, SETTINGS)
    momentum = {name: torch.zeros_like(weight) for name, weight in expected.items()}
    for seed, rate in ((5, 0.01), (6, 0.02)):
        gradients = _give_gradients(weights, seed)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        for name in ("blocks.0.a.weight", "blocks.1.a.weight", "blocks.0.b.weight"):
            momentum[name] = MOMENTUM * momentum[name] + (1 - MOMENTUM) * gradients[name]
            ahead = MOMENTUM * momentum[name] + (1 - MOMENTUM) * gradients[name]
            move = 0.2 * max(ahead.shape) ** 0.5 * orthogonal(ahead[None])[0]
            expected[name] = expected[name] * (1 - rate * 0.1) - rate * move
            assert torch.allclose(weights[name], expected[name], atol=1e-6)


def test_an_expert_s_matrices_move_as_if_each_were_alone():
    stacked = {"blocks.0.prw.experts.0.down": nn.Parameter(torch.randn(2, 4, 8, generator=torch.Generator()))}
    alone = {f"blocks.{p}.down": nn.Parameter(each.detach().clone()) for p, each in enumerate(*stacked.values())}
    for weights in (stacked, alone):
        optimizer = Muon(weights, SETTINGS)
        optimizer.param_groups[0]["lr"] = 0.01
        gradients = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(3))
        for weight, gradient in zip(weights.values(), gradients if len(weights) == 2 else [gradients], strict=True):
            weight.grad = gradient.clone()
        optimizer.step()
    for own, both in zip(alone.values(), *stacked.values(), strict=True):
        assert torch.allclose(own, both, atol=1e-6)


def test_embeddings_and_biases_move_as_adamw_moves_them():
    ours, theirs = _weights(), _weights()
    others = [weight for name, weight in theirs.items() if not moves_by_muon(name, weight)]
    muon = Muon(ours, SETTINGS)
    adamw = torch.optim.AdamW(others, lr=0.0, betas=(0.9, 0.99), eps=SETTINGS.eps, weight_decay=0.1)
    for seed in (1, 2, 3):
        for weights, optimizer in ((ours, muon), (theirs, adamw)):
            _give_gradients(weights, seed)
            for group in optimizer.param_groups:
                group["lr"] = 0.03
            optimizer.step()
    assert len(others) == 3
    for name, weight in ours.items():
        assert torch.equal(weight, theirs[name]) == (not moves_by_muon(name, weight))


def test_weights_without_gradients_stay():
    weights = _weights()
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    optimizer = Muon(weights, SETTINGS)
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    optimizer.step()
    assert all(torch.equal(weight, before[name]) for name, weight in weights.items())
