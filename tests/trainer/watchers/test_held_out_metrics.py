"""A validation in the log and in curves: every number by its name, and none that is not finite."""

import math

import pytest

from cologen.trainer.watchers.held_out_metrics import finite, held_out_metrics, held_out_scalars
from tests.trainer.made_up import held_out_sample, validation


def test_every_number_has_its_name():
    metrics = held_out_metrics(validation(1, 4, samples=(held_out_sample(0, l1=0.25),)), "inpaint")
    assert (metrics.stage, metrics.task, metrics.step, metrics.protocol) == (1, "inpaint", 4, "p1")
    assert metrics.num_rows == {"inpaint": 2, "grounding": 1}
    assert metrics.times == [0.25, 0.75]
    assert metrics.per_time == {"inpaint": [2.0, 3.0], "grounding": [0.5, 0.7]}
    assert held_out_scalars(metrics) == {
        "held_out/loss": 2.5,
        "held_out/overall": pytest.approx(1.55),
        "held_out/seconds": 3.0,
        "held_out_by_task/inpaint": 2.5,
        "held_out_by_task/grounding": pytest.approx(0.6),
        "held_out_measures/inpaint/l1": 0.25,
    }


def test_what_is_not_finite_is_no_number():
    found = validation(0, 4, [[math.nan, 1.0], [1.0, 1.0], [math.inf, 1.0]], samples=(held_out_sample(0, l1=math.nan),))
    metrics = held_out_metrics(found, "inpaint")
    assert (metrics.loss, metrics.overall) == (None, None)
    assert metrics.per_time == {"inpaint": [None, 1.0], "grounding": [None, 1.0]}
    assert held_out_scalars(metrics) == {"held_out/seconds": 3.0}
    assert [finite(each) for each in (math.nan, -math.inf, 0.0)] == [None, None, 0.0]
