import pytest
import torch

from cologen.model.experts import residual_of_chosen, residual_per_token
from cologen.model.weaving import Granularity, ProgressiveRepresentationWeaving

DIM = 8


def woven(granularity: Granularity, num_experts: int) -> ProgressiveRepresentationWeaving:
    weaving = ProgressiveRepresentationWeaving(DIM, rank=2, scale=2.0, granularity=granularity)
    for _ in range(num_experts):
        weaving.add_expert(dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in weaving.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator))
    return weaving


def test_a_sample_is_routed_by_the_mean_of_its_tokens() -> None:
    weaving, hidden = woven("sample", 3), torch.randn(4, 6, DIM).double()
    found, probability, _ = weaving(hidden)
    assert weaving.router is not None
    torch.testing.assert_close(probability, weaving.router(hidden.mean(1), None, 0.0))
    weight, choice = probability.max(-1)
    expected = residual_of_chosen(list(weaving.experts), hidden, choice, 2.0 * weight)  # type: ignore[arg-type]
    assert torch.equal(found, expected)


def test_a_token_is_routed_by_itself() -> None:
    weaving, hidden = woven("token", 3), torch.randn(4, 6, DIM).double()
    found, probability, _ = weaving(hidden)
    assert probability.shape == (4, 6, 3)
    weight, choice = probability.max(-1)
    expected = residual_per_token(list(weaving.experts), hidden, choice, 2.0 * weight)  # type: ignore[arg-type]
    assert torch.equal(found, expected)
    alone, _, _ = weaving(hidden[:, 2:3])
    torch.testing.assert_close(found[:, :, 2:3], alone)


def test_with_one_expert_both_granularities_are_the_same_function() -> None:
    hidden = torch.randn(2, 5, DIM).double()
    torch.testing.assert_close(woven("sample", 1)(hidden)[0], woven("token", 1)(hidden)[0])


def test_a_pool_without_experts_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="call add_expert first"):
        ProgressiveRepresentationWeaving(DIM, rank=2, scale=2.0, granularity="sample")(torch.randn(1, 2, DIM))
