import torch
from torch.nn import functional as F

from cologen.model.router import NoisyRouter

DIM = 8


def taught(num_experts: int, seed: int = 0) -> NoisyRouter:
    router = NoisyRouter(DIM, num_experts, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for rows in router.parameters():
            rows.copy_(torch.randn(rows.shape, generator=generator))
    return router


def test_equation_2_and_the_softmax_of_equation_3() -> None:
    router, hidden, noise = taught(3), torch.randn(5, DIM).double(), torch.randn(5, 3).double()
    w = hidden @ router.choose.T + noise * F.softplus(hidden @ router.disturb.T)
    torch.testing.assert_close(router(hidden, noise, 0.0), w.softmax(-1), rtol=0, atol=1e-14)


def test_without_noise_it_is_deterministic_and_w_n_is_of_no_account() -> None:
    router, hidden = taught(3), torch.randn(5, DIM).double()
    before = router(hidden, None, 0.0)
    with torch.no_grad():
        router.disturb.add_(1.0)
    assert torch.equal(router(hidden, None, 0.0), before)


def test_the_newcomers_bias_moves_the_newest_logit_alone() -> None:
    router, hidden = taught(3), torch.randn(5, DIM).double()
    plain, held_back = router(hidden, None, 0.0).log(), router(hidden, None, -8.0).log()
    torch.testing.assert_close(held_back[:, 0] - held_back[:, 1], plain[:, 0] - plain[:, 1])
    torch.testing.assert_close((held_back - plain)[:, 2] - (held_back - plain)[:, 0], torch.full((5,), -8.0).double())
    assert torch.equal(taught(1)(hidden, None, -8.0), torch.ones(5, 1).double())


def test_growth_keeps_what_was_learned() -> None:
    router = taught(2)
    before = [rows.clone() for rows in router.parameters()]
    router.grow()
    for rows, old in zip(router.parameters(), before, strict=True):
        assert torch.equal(rows[:2], old)
        assert not rows[2].any()
        assert rows.requires_grad
    assert [name for name, _ in router.named_parameters()] == ["choose", "disturb"]


def test_a_newcomer_of_bias_minus_eight_changes_the_weight_of_the_rest_by_a_thousandth_at_most() -> None:
    router = NoisyRouter(DIM, 1, dtype=torch.float64)
    router.grow()
    assert router(torch.randn(1, DIM).double(), None, -8.0)[0, 0].detach() > 0.999


def test_half_precision_is_routed_in_float32() -> None:
    router = taught(4).to(torch.bfloat16)
    hidden = torch.randn(5, DIM).bfloat16()
    found = router(hidden, None, 0.0)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, (hidden.float() @ router.choose.float().T).softmax(-1))
