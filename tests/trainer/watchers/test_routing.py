"""Adding up micro batches gives what all their samples together would have given."""

import numpy as np
import pytest
import torch

from cologen.model.routing import Routing
from cologen.trainer.watchers.routing import added, chosen_by_task
from tests.trainer.made_up import routing


def test_samples_are_told_apart_by_task():
    found = chosen_by_task(routing([[0, 1], [1, 1], [0, 0]]), ("control", "editing", "control"))
    assert {task: chosen.num_samples for task, chosen in found.items()} == {"control": 2, "editing": 1}
    np.testing.assert_allclose(found["control"].usage, [[1, 0], [0.5, 0.5]])
    np.testing.assert_allclose(found["editing"].usage, [[0, 1], [0, 1]])
    np.testing.assert_allclose(found["editing"].gate_weight, [0.75, 0.75])
    assert found["editing"].scalars() == pytest.approx(
        {"entropy": -0.75 * np.log(0.75) - 0.25 * np.log(0.25), "gate_weight": 0.75, "usage_0": 0.0, "usage_1": 1.0}
    )


@pytest.mark.parametrize("tokens", [(), (5,)])
def test_parts_add_up_to_the_whole(tokens: tuple[int, ...]):
    logits = torch.randn(7, 3, *tokens, 4, generator=torch.Generator().manual_seed(0))
    whole = Routing(logits.softmax(-1))
    parts = [
        chosen_by_task(Routing(whole.probability[a:b]), ("editing",) * (b - a)) for a, b in ((0, 2), (2, 3), (3, 7))
    ]
    total = {}
    for part in parts:
        total = added(total, part)
    expected = chosen_by_task(whole, ("editing",) * 7)["editing"]
    assert total["editing"].num_samples == 7
    for name in ("usage", "entropy", "gate_weight"):
        np.testing.assert_allclose(getattr(total["editing"], name), getattr(expected, name), rtol=1e-6)


def test_it_keeps_no_gradients_alive():
    logits = torch.randn(2, 3, 2, requires_grad=True)
    assert chosen_by_task(Routing(logits.softmax(-1)), ("editing",) * 2)["editing"].num_samples == 2
