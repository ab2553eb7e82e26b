"""The veteran loss is that of the global batch, and brings the newest expert's share to ρ, from wherever it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from cologen.model.router import NoisyRouter
from cologen.model.routing import Routing
from cologen.model.veteran import Usage, VeteranGate
from tests.model.tiny import inputs, tiny

RHO, DIM, BLOCKS = 0.8, 8, 3
GATE = VeteranGate(rho=RHO, alpha=0.5)


def routers(num_experts: int = 3, dtype: torch.dtype = torch.float64) -> nn.ModuleList:
    made = nn.ModuleList(NoisyRouter(DIM, num_experts, dtype=dtype) for _ in range(BLOCKS))
    generator = torch.Generator().manual_seed(0)
    for rows in made.parameters():
        rows.data.copy_(torch.randn(rows.shape, generator=generator))
    return made


def routed(by: nn.ModuleList, hidden: Tensor, noise: Tensor | None, experts: Tensor | None = None) -> Routing:
    """``hidden`` is batch × blocks (× tokens) × width."""
    given = [None] * len(by) if noise is None else noise.unbind(1)
    found = [router(seen, each, 0.0) for router, seen, each in zip(by, hidden.unbind(1), given, strict=True)]
    slopes = [
        router.slope(seen, each, probability, experts)  # type: ignore[operator]
        for router, seen, each, probability in zip(by, hidden.unbind(1), given, found, strict=True)
    ]
    return Routing(torch.stack(found, dim=1), torch.stack(slopes, dim=1), experts)


def straight_through(routing: Routing, gate: VeteranGate) -> Tensor:
    """Eq. 9 of a batch in one piece, as automatic differentiation has it: the hard share, the gradient of the soft.

    With a gate for each task: added up over the gates.
    """
    newest = torch.full((len(routing.choice),), routing.num_experts - 1)
    experts = newest if routing.task_experts is None else routing.task_experts
    total = torch.zeros(())
    for number in range(routing.num_experts):
        asked = experts == number
        if asked.any():
            soft = routing.probability[asked][..., number].mean()
            hard = (routing.choice[asked] == number).to(soft.dtype).mean()
            total = total + (hard + soft - soft.detach() - gate.rho).abs()
    return gate.alpha * total


def batch(*place: int, num_experts: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    shape = (place[0], BLOCKS, *place[1:])
    return (
        torch.randn(*shape, DIM, generator=generator).double(),
        torch.randn(*shape, num_experts, generator=generator).double(),
    )


@pytest.mark.parametrize("place", [(6,), (6, 4)], ids=["sample", "token"])
@pytest.mark.parametrize("rho", [0.1, 0.9])
@pytest.mark.parametrize("size", [6, 3, 1])
@pytest.mark.parametrize("noisy", [True, False])
def test_the_gradient_is_that_of_the_whole_batch_in_whatever_micro_batches(
    place: tuple[int, ...], rho: float, size: int, noisy: bool
):
    gate, (hidden, noise) = VeteranGate(rho=rho, alpha=0.5), batch(*place)
    expected = routers()
    loss = straight_through(routed(expected, hidden, noise if noisy else None), gate)
    loss.backward()
    found = routers()
    parts = zip(hidden.split(size), noise.split(size), strict=True)
    usage = Usage.total(routed(found, seen, each if noisy else None) for seen, each in parts)
    gate.add_gradient(found, usage)
    gate.add_gradient(found, usage)  # it adds to the gradient that is there
    assert gate.loss(usage) == pytest.approx(loss.item(), abs=1e-14)
    for weight, other in zip(found.parameters(), expected.parameters(), strict=True):
        assert weight.grad is not None
        whole = torch.zeros_like(weight) if other.grad is None else other.grad
        torch.testing.assert_close(weight.grad, 2 * whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize("place", [(8,), (8, 4)], ids=["sample", "token"])
@pytest.mark.parametrize("size", [8, 4, 1])
@pytest.mark.parametrize("rho", [1.0, 0.4])
def test_with_a_gate_for_each_task_the_gradient_is_that_of_every_gate(place: tuple[int, ...], size: int, rho: float):
    experts = torch.tensor([2, 0, 2, 2, 0, 2, 2, 2])  # and nothing of expert 1
    gate, (hidden, noise) = VeteranGate(rho=rho, alpha=0.5), batch(*place)
    expected, found = routers(), routers()
    loss = straight_through(routed(expected, hidden, noise, experts), gate)
    loss.backward()
    parts = zip(hidden.split(size), noise.split(size), experts.split(size), strict=True)
    usage = Usage.total(routed(found, *part) for part in parts)
    gate.add_gradient(found, usage)
    assert gate.loss(usage) == pytest.approx(loss.item(), abs=1e-14)
    for weight, other in zip(found.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, other.grad, rtol=0, atol=1e-14)


def test_own_samples_alone_have_the_papers_gate():
    hidden, noise = batch(6)
    one, several = routers(), routers()
    GATE.add_gradient(one, Usage.of(routed(one, hidden, noise)))
    GATE.add_gradient(several, Usage.of(routed(several, hidden, noise, torch.full((6,), 2))))
    for weight, other in zip(one.parameters(), several.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, other.grad, rtol=0, atol=1e-15)


def test_the_share_of_a_gate_without_samples_is_unknown():
    routing = Routing(torch.tensor([[[0.9, 0.1]]]), None, torch.tensor([0]))
    assert Usage.of(routing).share is None
    assert VeteranGate(rho=1.0, alpha=0.5).loss(Usage.of(routing)) == 0


def test_micro_batches_on_both_sides_of_rho_pull_to_the_same_side():
    """Three of four choose the newest: each micro batch for itself, these would pull down and up."""
    both, none = (Routing(torch.tensor([[[1 - p, p]]] * 2), torch.ones(1, 1, 2, 2, DIM)) for p in (0.9, 0.1))
    half = Routing(torch.cat([both.probability[:1], none.probability[:1]]), both.slope)
    assert [GATE.sides(Usage.of(each)) for each in (both, half)] == [(1,), (-1,)]
    usage = Usage.total([both, half])
    assert usage.share == 0.75
    assert GATE.loss(usage) == pytest.approx(0.5 * 0.05)
    router = nn.ModuleList([NoisyRouter(DIM, 2, dtype=torch.float32)])
    GATE.add_gradient(router, usage)
    assert all(torch.equal(rows.grad, torch.full((2, DIM), -0.5 * 2 / 4)) for rows in router.parameters())


@pytest.mark.parametrize(
    ("rho", "chosen", "choices", "side"),
    [
        (0.8, 4, 5, 0),
        (0.29, 29, 100, 0),  # 0.29 · 100 is 28.999999999999996
        (0.07, 7, 100, 0),  # 0.07 · 100 is 7.000000000000001
        (0.3, 3 * 10**9, 10**10, 0),
        (0.3, 3 * 10**9 + 1, 10**10, 1),
        (1.0, 7, 7, 0),
        (0.0, 0, 7, 0),
        (1 / 3, 1, 3, 1),  # the decimal 0.3333333333333333 is less
        (0.8, 3, 5, -1),
    ],
)
def test_on_which_side_of_rho_usage_is_does_not_hang_on_rounding(rho: float, chosen: int, choices: int, side: int):
    usage = Usage(torch.tensor([chosen]), torch.tensor([choices]), None)
    gate = VeteranGate(rho=rho, alpha=0.5)
    assert gate.sides(usage) == (side,)
    assert side or gate.loss(usage) == 0


def test_at_rho_there_is_no_pull():
    router = nn.ModuleList([NoisyRouter(DIM, 2, dtype=torch.float32)])
    GATE.add_gradient(router, Usage(torch.tensor([4]), torch.tensor([5]), torch.ones(1, 1, 2, 2, DIM)))
    assert all(rows.grad is None for rows in router.parameters())


@pytest.mark.parametrize("routing", ["sample", "token"])
def test_the_model_tells_of_its_choices_in_training_and_pulls_routers_alone(routing: str):
    model, given = tiny(3, routing=routing).train(), inputs()
    trained = model.freeze_for(2)
    found = model(**given.stock(), source=given.sources)
    GATE.add_gradient(model, Usage.of(found.routing))
    assert {name for name in trained if trained[name].grad is not None} == {n for n in trained if ".router." in n}
    model.eval()
    silent = model(**given.stock(), source=given.sources).routing
    assert silent.slope is None
    with pytest.raises(ValueError, match="was the model in training"):
        GATE.add_gradient(model, Usage.of(silent))


@pytest.mark.parametrize("routing", ["sample", "token"])
def test_the_model_counts_and_pulls_for_each_task_over_all_of_its_sources(routing: str):
    model, given, experts = (
        tiny(3, routing=routing).train(),
        inputs(batch=4, sides=((3, 2), (2, 2))),
        torch.tensor([2, 0, 2, 2]),
    )
    model.freeze_for(2)
    whole = Usage.of(model(**given.stock(), source=given.sources, task_experts=experts).routing)
    tokens = 3 * 2 + 2 * 2 if routing == "token" else 2
    assert whole.choices.tolist() == [1 * 4 * tokens, 0, 3 * 4 * tokens]
    assert whole.slope is not None and whole.slope.shape[:2] == (3, 4)
    assert [bool(slope.any()) for slope in whole.slope] == [True, False, True]
    for wrong, words in ((experts[:1], "1 task_experts for 4 samples"), (experts, "give one in tokens")):
        with pytest.raises(ValueError, match=words):
            model(**given.stock(), source=given.sources if len(wrong) == 1 else None, task_experts=wrong)


@pytest.mark.parametrize("experts", [None, torch.tensor([0, 1, 1])], ids=["one gate", "a gate for each task"])
def test_the_slope_is_the_same_after_checkpointing(experts: Tensor | None):
    given, noise = inputs(batch=3), torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0)).double()
    slopes = []
    for checkpointing in (False, True):
        model = tiny(2).train()
        model.freeze_for(1)
        if checkpointing:
            model.enable_gradient_checkpointing()
        found = model(**given.stock(), source=given.sources, routing_noise=noise, task_experts=experts)
        found.sample.square().mean().backward()
        slopes.append(found.routing.slope)
    assert torch.equal(*slopes)


class WithoutFloat64(TorchDispatchMode):
    """A device that has no float64, as Apple's."""

    def __torch_dispatch__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        assert not (isinstance(found, Tensor) and found.dtype == torch.float64), f"{func} needs float64"
        return found


def test_a_device_without_float64_counts_too():
    by = routers(dtype=torch.float32)
    hidden, noise = (each.float() for each in batch(6))
    with WithoutFloat64():
        usage = Usage.total([routed(by, hidden, noise)])
        GATE.add_gradient(by, usage)
    assert usage.share is not None and 0 <= usage.share <= 1


@pytest.mark.parametrize("by_token", [False, True], ids=["sample", "token"])
@pytest.mark.parametrize("gap", [0.0, 6.0, -6.0, -8.0], ids=["uniform", "newcomer alone", "veterans alone", "fresh"])
def test_usage_settles_at_rho_from_anywhere(by_token: bool, gap: float):
    """A router that has collapsed, by a gap of 6 or 8 between its logits, comes back."""
    shares = usage_while_training(by_token, gap)
    assert abs(shares[-100:].mean() - RHO) <= 0.03


def usage_while_training(by_token: bool, gap: float, num_steps: int = 400, lr: float = 3e-3) -> Tensor:
    """U_t step by step; the newest of three experts begins ``gap`` over the others, at what all samples share."""
    num_blocks, size, tokens, dim = 2, 64, 6, 64
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(num_blocks, 1, 1, dim, generator=generator)
    hidden = shared + torch.randn(num_blocks, size, tokens, dim, generator=generator)
    hidden = (hidden if by_token else hidden.mean(dim=2)).movedim(0, 1)
    by = nn.ModuleList(NoisyRouter(dim, 3, dtype=torch.float32) for _ in range(num_blocks))
    for router, along in zip(by, shared[:, 0, 0], strict=True):
        router.choose.data[-1] = gap * along / along.square().sum()
    optimizer = torch.optim.Adam(by.parameters(), lr=lr)
    shares = []
    for _ in range(num_steps):
        noise = torch.randn(*hidden.shape[:-1], 3, generator=generator)
        optimizer.zero_grad()
        usage = Usage.of(routed(by, hidden, noise))
        GATE.add_gradient(by, usage)
        optimizer.step()
        shares.append(usage.share)
    return torch.tensor(shares)


def test_a_gate_for_each_task_teaches_routers_to_tell_tasks_apart_and_one_gate_does_not():
    """Three tasks whose inputs differ far less than they have in common, four of five samples being of the last."""
    several, one = (chosen_by_task(per_task) for per_task in (True, False))
    assert several.diagonal().min() > 0.9
    assert (one[:, 2] - one[:, 2].mean()).abs().max() < 0.15


def chosen_by_task(per_task: bool, num_steps: int = 400) -> Tensor:
    """How often samples of each task (rows) choose each expert (columns), after training by the gate alone."""
    num_blocks, dim = 5, 64
    generator = torch.Generator().manual_seed(0)
    tasks = torch.tensor([0] * 6 + [1] * 6 + [2] * 48)
    shared = 4 * torch.randn(num_blocks, 1, dim, generator=generator)
    of_task = torch.randn(num_blocks, 3, dim, generator=generator)
    by = nn.ModuleList(NoisyRouter(dim, 3, dtype=torch.float32) for _ in range(num_blocks))
    gate = VeteranGate(rho=1.0 if per_task else RHO, alpha=0.5)
    optimizer = torch.optim.Adam(by.parameters(), lr=3e-3)
    counts = torch.zeros(3, 3)
    for step in range(num_steps):
        own = torch.randn(num_blocks, len(tasks), dim, generator=generator)
        hidden = (shared + of_task[:, tasks] + 0.3 * own).movedim(0, 1)
        noise = torch.randn(len(tasks), num_blocks, 3, generator=generator)
        optimizer.zero_grad()
        routing = routed(by, hidden, noise, tasks if per_task else None)
        gate.add_gradient(by, Usage.of(routing))
        optimizer.step()
        if step >= num_steps - 100:
            for task in range(3):
                counts[task] += nn.functional.one_hot(routing.choice[tasks == task], 3).sum(dim=(0, 1))
    return counts / counts.sum(dim=1, keepdim=True)
