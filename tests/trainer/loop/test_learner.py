import math
from typing import Literal

import pytest
import torch
from torch import nn

from cologen.trainer.distributed import Processes
from cologen.trainer.loop.learner import Learner, MicroLoss, decay_at
from cologen.trainer.loop.loss import Losses
from cologen.trainer.recipes.optimizer import Optimizer

TIMES = torch.tensor([0.0, 0.1, 0.2, 0.5, 0.7, 0.81, 0.99, 1.0])
ALONE = Processes(0, 1, torch.device("cpu"))


def learner(decay: float = 0.5, clip: float = 100.0, settings: Optimizer | None = None) -> Learner:
    torch.manual_seed(0)
    model = nn.Linear(3, 1).double()
    settings = settings or Optimizer()
    return Learner(model, dict(model.named_parameters()), settings, ema_decay=decay, clip=clip, processes=ALONE)


def loss_of(learner: Learner, inputs: torch.Tensor, factor: float = 1.0) -> MicroLoss:
    def compute() -> tuple[Losses, list[str]]:
        per_sample = learner.model(inputs)[:, 0].square() * factor
        losses = Losses(
            task=per_sample.mean(), per_sample=per_sample.detach(), time=TIMES[: len(per_sample)], routing=None
        )
        return losses, ["inpaint"] * len(inputs)

    return compute


def weights(learner: Learner) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in learner.trained.values()])


def test_micro_batches_accumulate_to_the_step_of_the_whole_batch() -> None:
    inputs, whole, split = torch.randn(8, 3).double(), learner(), learner()
    report = whole.step([loss_of(whole, inputs)], 1e-2)
    other = split.step([loss_of(split, part) for part in inputs.split(2)], 1e-2)
    torch.testing.assert_close(weights(whole), weights(split), rtol=0, atol=1e-12)
    assert report.loss == pytest.approx(other.loss, abs=1e-12)
    assert other.per_task["inpaint"][1] == 8


def test_each_sample_counts_in_the_interval_of_its_own_time() -> None:
    inputs, trained = torch.randn(8, 3).double(), learner()
    with torch.no_grad():
        one, *rest = trained.model(inputs)[:, 0].square().tolist()
    report = trained.step([loss_of(trained, inputs)], 1e-2)
    wanted = {
        "0.0-0.2": (one + rest[0], 2),
        "0.2-0.4": (rest[1], 1),
        "0.4-0.6": (rest[2], 1),
        "0.6-0.8": (rest[3], 1),
        "0.8-1.0": (sum(rest[4:]), 3),
    }
    assert {name: count for name, (_, count) in report.per_time_bin.items()} == {
        name: count for name, (_, count) in wanted.items()
    }
    for name, (total, _) in wanted.items():
        assert report.per_time_bin[name][0] == pytest.approx(total)
    assert sum(total for total, _ in report.per_time_bin.values()) == pytest.approx(report.per_task["inpaint"][0])


def averaged(learner: Learner) -> torch.Tensor:
    return torch.cat([value.flatten() for value in learner.average.values()])


def test_the_average_follows_the_weights_by_its_decay() -> None:
    trained = learner(decay=0.75)
    trained.num_updates = 100
    before = weights(trained)
    trained.step([loss_of(trained, torch.ones(2, 3).double())], 1e-1)
    torch.testing.assert_close(averaged(trained), 0.75 * before + 0.25 * weights(trained))


def test_little_is_left_in_the_average_of_where_training_began() -> None:
    """A decay of 0.98 alone would leave 9 % of it after 120 steps, and 0.9999 nearly all."""
    for decay, num_steps in ((0.98, 120), (0.999, 2000), (0.9999, 1000)):
        left = math.prod(decay_at(step, decay) for step in range(num_steps))
        assert left < 1e-6
        assert decay_at(10**6, decay) == decay
    trained = learner(decay=0.9999)
    before = weights(trained)
    for _ in range(3):
        trained.step([loss_of(trained, torch.ones(2, 3).double())], 0.0)  # the weights stay
    trained.average = {name: torch.zeros_like(value) for name, value in trained.average.items()}
    trained.num_updates = 0
    for _ in range(3):
        trained.step([loss_of(trained, torch.ones(2, 3).double())], 0.0)
    torch.testing.assert_close(averaged(trained), (1 - 1 / 10 * 2 / 11 * 3 / 12) * before)


def test_skipped_steps_are_counted_in_a_row_and_in_all() -> None:
    trained = learner()
    counts = []
    for factor in (math.nan, math.nan, 1.0, math.inf):
        trained.step([loss_of(trained, torch.ones(2, 3).double(), factor)], 1e-3)
        counts.append((trained.num_skipped_in_row, trained.num_skipped, trained.num_updates))
    assert counts == [(1, 1, 0), (2, 2, 0), (0, 2, 1), (1, 3, 1)]


@pytest.mark.parametrize("factor", [math.nan, math.inf])
def test_a_step_that_is_not_finite_changes_nothing_and_is_counted(factor: float) -> None:
    trained = learner()
    before, average = weights(trained), {name: value.clone() for name, value in trained.average.items()}
    report = trained.step([loss_of(trained, torch.ones(2, 3).double(), factor)], 1e-1)
    assert report.skipped
    assert trained.num_skipped == 1
    assert torch.equal(weights(trained), before)
    assert all(torch.equal(trained.average[name], value) for name, value in average.items())
    assert not trained.step([loss_of(trained, torch.ones(2, 3).double())], 1e-1).skipped


def test_gradients_are_clipped_and_their_norm_reported() -> None:
    free, held = learner(), learner(clip=1e-3)
    inputs = torch.ones(2, 3).double()
    assert (
        free.step([loss_of(free, inputs)], 0.0).gradient_norm == held.step([loss_of(held, inputs)], 0.0).gradient_norm
    )


@pytest.mark.parametrize("largest", [1e-3, 1e3])
def test_the_optimizer_is_adamw_of_clipped_gradients(largest: float) -> None:
    """With a large ε its steps are in proportion to the gradient, so that clipping can be seen in them."""
    settings = Optimizer(betas=(0.5, 0.75), eps=1.0, weight_decay=0.1)
    trained, other = learner(clip=largest, settings=settings), learner()
    reference = torch.optim.AdamW(other.model.parameters(), lr=0.1, betas=(0.5, 0.75), eps=1.0, weight_decay=0.1)
    for step in range(3):
        inputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(step)).double()
        report = trained.step([loss_of(trained, inputs)], 0.1)
        reference.zero_grad()
        loss_of(other, inputs)()[0].task.backward()
        gradients = [weight.grad for weight in other.model.parameters() if weight.grad is not None]
        norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        assert report.gradient_norm == pytest.approx(norm.item())
        for gradient in gradients:
            gradient *= min(1.0, largest / norm.item())
        reference.step()
        torch.testing.assert_close(weights(trained), weights(other), rtol=0, atol=1e-9)


def test_weights_decay_by_default_and_without_a_gradient_too() -> None:
    trained = learner()
    before = weights(trained)
    trained.step([loss_of(trained, torch.ones(2, 3).double(), 0.0)], 0.5)
    torch.testing.assert_close(weights(trained), before * (1 - 0.5 * 0.01), rtol=0, atol=1e-12)


def test_eight_bits_without_bitsandbytes_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bitsandbytes.optim", None)
    model = nn.Linear(3, 1)
    with pytest.raises(ValueError, match="needs bitsandbytes"):
        Learner(
            model,
            dict(model.named_parameters()),
            Optimizer(eight_bit=True),
            ema_decay=0.0,
            clip=1.0,
            processes=ALONE,
        )


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_routers_learn_at_a_rate_of_their_own(kind: Literal["adamw", "muon"]) -> None:
    moved = dict[float, dict[str, torch.Tensor]]()
    for rate in (1.0, 5.0):
        model = nn.ModuleDict({"router": nn.Linear(3, 1), "other": nn.Linear(3, 1)}).double()
        named = {f"blocks.0.{name}": weight for name, weight in model.named_parameters()}
        with torch.no_grad():
            for weight in named.values():
                weight.fill_(1.0)
        settings = Optimizer(kind=kind, weight_decay=0.0)
        trained = Learner(model, named, settings, ema_decay=0.0, clip=100.0, processes=ALONE, router_rate=rate)

        def loss() -> tuple[Losses, list[str]]:
            per_sample = sum(part(torch.ones(2, 3).double())[:, 0] for part in trained.model.children())  # noqa: B023
            return Losses(
                task=per_sample.mean(), per_sample=per_sample.detach(), time=TIMES[: len(per_sample)], routing=None
            ), ["inpaint"] * 2

        trained.step([loss], 1e-2)
        moved[rate] = {name: 1 - weight.detach() for name, weight in named.items()}
    for name, far in moved[5.0].items():
        torch.testing.assert_close(far, moved[1.0][name] * (5 if "router" in name else 1))
        assert far.abs().min() > 1e-3
