import pytest
import torch

from cologen.model.routing import Routing
from cologen.model.veteran import newest_usage, veteran_loss


def drawn(seed: int = 0) -> torch.Tensor:
    return torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(seed)).double().requires_grad_()


def test_usage_is_the_share_of_blocks_and_samples_whose_choice_is_the_newest() -> None:
    probability = drawn().softmax(-1)
    usage = newest_usage(Routing(probability))
    torch.testing.assert_close(usage, (probability.argmax(-1) == 2).double().mean())


def test_its_gradient_is_that_of_the_softmax_probability() -> None:
    logits, soft_logits = drawn(), drawn()
    newest_usage(Routing(logits.softmax(-1))).backward()
    soft_logits.softmax(-1)[..., 2].mean().backward()
    torch.testing.assert_close(logits.grad, soft_logits.grad)


@pytest.mark.parametrize(("rho", "sign"), [(0.0, 1.0), (1.0, -1.0)])
def test_the_loss_is_alpha_times_the_distance_and_pulls_towards_rho(rho: float, sign: float) -> None:
    logits, plain = drawn(), drawn()
    usage = newest_usage(Routing(logits.softmax(-1)))
    loss = veteran_loss(usage, rho=rho, alpha=0.5)
    torch.testing.assert_close(loss.detach(), 0.5 * (usage.detach() - rho).abs())
    loss.backward()
    newest_usage(Routing(plain.softmax(-1))).backward()
    assert logits.grad is not None
    assert plain.grad is not None
    torch.testing.assert_close(logits.grad, 0.5 * sign * plain.grad)
