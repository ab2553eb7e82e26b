import math

import pytest
import torch
from torch import nn

from cologen.trainer.curriculum import Optimizer
from cologen.trainer.distributed import Processes
from cologen.trainer.learner import Learner, MicroLoss
from cologen.trainer.loss import Losses

ALONE = Processes(0, 1, torch.device("cpu"))


def learner(decay: float = 0.5, clip: float = 100.0) -> Learner:
    torch.manual_seed(0)
    model = nn.Linear(3, 1).double()
    return Learner(model, dict(model.named_parameters()), Optimizer(), ema_decay=decay, clip=clip, processes=ALONE)


def loss_of(learner: Learner, inputs: torch.Tensor, factor: float = 1.0) -> MicroLoss:
    def compute() -> tuple[Losses, list[str]]:
        per_sample = learner.model(inputs)[:, 0].square() * factor
        losses = Losses(
            total=per_sample.mean(), per_sample=per_sample.detach(), veteran=torch.zeros(()).double(), routing=None
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


def test_the_average_follows_the_weights_by_its_decay() -> None:
    trained = learner(decay=0.75)
    before = weights(trained)
    trained.step([loss_of(trained, torch.ones(2, 3).double())], 1e-1)
    average = torch.cat([value.flatten() for value in trained.average.values()])
    torch.testing.assert_close(average, 0.75 * before + 0.25 * weights(trained))


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
