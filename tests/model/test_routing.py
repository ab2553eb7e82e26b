from math import log

import pytest
import torch

from cologen.model.routing import Routing
from cologen.model.veteran import Usage

# two samples, two blocks, three experts
PROBABILITY = torch.tensor(
    [
        [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]],
        [[0.3, 0.4, 0.3], [0.0, 0.0, 1.0]],
    ]
)


def test_usage_is_the_hard_share_of_each_expert_in_each_block() -> None:
    assert Routing(PROBABILITY).usage().tolist() == [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]


def test_weight_and_entropy_are_means_per_block() -> None:
    routing = Routing(PROBABILITY)
    torch.testing.assert_close(routing.gate_weight(), torch.tensor([0.55, 0.9]))
    sure, even = Routing(torch.tensor([[[1.0, 0.0]]])), Routing(torch.tensor([[[0.5, 0.5]]]))
    torch.testing.assert_close(torch.cat([sure.entropy(), even.entropy()]), torch.tensor([0.0, log(2)]))


def test_tokens_count_like_samples() -> None:
    tokens = Routing(PROBABILITY.movedim(0, 1)[None])  # one sample, two blocks, two tokens
    assert torch.equal(tokens.usage(), Routing(PROBABILITY).usage())
    torch.testing.assert_close(tokens.entropy(), Routing(PROBABILITY).entropy())


def test_sources_of_different_size_can_be_counted_together() -> None:
    one, other = torch.rand(2, 3, 5, 4).softmax(-1), torch.rand(2, 3, 7, 4).softmax(-1)
    joined = Routing.join([Routing(one), Routing(other)])
    expected = (5 * Routing(one).usage() + 7 * Routing(other).usage()) / 12
    torch.testing.assert_close(joined.usage(), expected)


def test_sources_joined_keep_the_expert_of_each_sample_s_task() -> None:
    experts = torch.tensor([0, 3])
    one, other = torch.rand(2, 3, 5, 4).softmax(-1), torch.rand(2, 3, 7, 4).softmax(-1)
    parts = [Usage.of(Routing(each, None, experts)) for each in (one, other)]
    joined = Usage.of(Routing.join([Routing(one, None, experts), Routing(other, None, experts)]))
    assert torch.equal(joined.chosen, parts[0].chosen + parts[1].chosen)
    assert joined.choices.tolist() == [3 * 12, 0, 0, 3 * 12]
    of_samples = Routing.join([Routing(PROBABILITY, None, torch.tensor([2, 0]))] * 2)
    assert Usage.of(of_samples).chosen.tolist() == [0, 0, 2]
    with pytest.raises(ValueError, match="some have one for all"):
        Routing.join([Routing(one, None, experts), Routing(other)])
