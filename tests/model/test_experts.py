import pytest
import torch

from cologen.model.experts import KVExpert, residual_of_chosen, residual_per_token

DIM, RANK = 6, 2


def drawn(seed: int) -> KVExpert:
    expert = KVExpert(DIM, RANK, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    expert.draw(generator)
    with torch.no_grad():
        expert.up.copy_(torch.randn(expert.up.shape, generator=generator))
    return expert


def by_hand(expert: KVExpert, hidden: torch.Tensor) -> torch.Tensor:
    """(keys, values) of tokens in rows."""
    return torch.stack([hidden @ expert.down[pair].T @ expert.up[pair].T for pair in (0, 1)])


def test_a_fresh_expert_adds_nothing_and_its_numbers_come_from_the_generator_alone() -> None:
    one, other = (KVExpert(DIM, RANK, dtype=torch.float32) for _ in range(2))
    for expert in (one, other):
        expert.draw(torch.Generator().manual_seed(3))
    assert torch.equal(one.down, other.down)
    assert one.down.abs().max() <= DIM**-0.5
    assert not by_hand(one, torch.randn(4, DIM)).any()


@pytest.mark.parametrize("seed", range(3))
def test_each_sample_gets_its_own_expert_times_its_weight(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    experts = [drawn(10 + number) for number in range(3)]
    hidden = torch.randn(4, 5, DIM, dtype=torch.float64, generator=generator)
    choice, weight = torch.tensor([2, 0, 1, 2]), torch.rand(4, dtype=torch.float64, generator=generator)
    found = residual_of_chosen(experts, hidden, choice, weight)
    for sample in range(4):
        expected = weight[sample] * by_hand(experts[int(choice[sample])], hidden[sample])
        torch.testing.assert_close(found[:, sample], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("seed", range(3))
def test_each_token_gets_its_own_expert_times_its_weight(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    experts = [drawn(20 + number) for number in range(3)]
    hidden = torch.randn(2, 5, DIM, dtype=torch.float64, generator=generator)
    choice = torch.randint(3, (2, 5), generator=generator)
    weight = torch.rand(2, 5, dtype=torch.float64, generator=generator)
    found = residual_per_token(experts, hidden, choice, weight)
    for sample in range(2):
        for token in range(5):
            expert = experts[int(choice[sample, token])]
            expected = weight[sample, token] * by_hand(expert, hidden[sample, token][None])[:, 0]
            torch.testing.assert_close(found[:, sample, token], expected, rtol=0, atol=1e-13)


def test_an_expert_that_nobody_chose_has_a_gradient_and_it_is_zero() -> None:
    experts = [drawn(1), drawn(2)]
    residual_of_chosen(
        experts, torch.randn(2, 3, DIM).double(), torch.tensor([0, 0]), torch.ones(2).double()
    ).sum().backward()
    assert experts[1].down.grad is not None
    assert not experts[1].down.grad.any()
    assert experts[0].up.grad is not None
    assert experts[0].up.grad.any()
