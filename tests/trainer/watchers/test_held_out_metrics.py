"""A validation in the log and in curves: every number by its name, and none that is not finite."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from cologen.trainer.watchers.held_out_metrics import finite, held_out_metrics, held_out_scalars
from cologen.trainer.watchers.metrics import HELD_OUT, HeldOutMetrics, append, read
from tests.trainer.made_up import held_out_sample, validation


def test_every_number_has_its_name():
    metrics = held_out_metrics(validation(1, 4, samples=(held_out_sample(0, l1=0.25),)), "inpaint")
    assert (metrics.stage, metrics.task, metrics.step, metrics.protocol) == (1, "inpaint", 4, "p1")
    assert metrics.num_rows == {"inpaint": 2, "grounding": 1}
    assert metrics.times == [0.25, 0.75]
    assert metrics.per_time == {"inpaint": [2.0, 3.0], "grounding": [0.5, 0.7]}
    assert metrics.usage == {"inpaint": [0.25, 0.75], "grounding": [1.0, 0.0]}
    assert held_out_scalars(metrics) == {
        "held_out/loss": 2.5,
        "held_out/overall": pytest.approx(1.55),
        "held_out/seconds": 3.0,
        "held_out_by_task/inpaint": 2.5,
        "held_out_by_task/grounding": pytest.approx(0.6),
        "held_out_measures/inpaint/l1": 0.25,
    }


def test_without_experts_there_is_no_usage():
    assert held_out_metrics(validation(0, 4, choices=np.zeros((3, 0))), "inpaint").usage == {}


def test_a_record_from_before_usage_was_kept_is_read(tmp_path: Path):
    path, record = tmp_path / HELD_OUT, held_out_metrics(validation(0, 4), "inpaint")
    append(path, record)
    whole = json.loads(path.read_text())
    for lacking, count in (("usage", 2), ("loss", 2)):
        path.write_text(path.read_text() + json.dumps({k: v for k, v in whole.items() if k != lacking}) + "\n")
        assert len(read(path, HeldOutMetrics)) == count
    assert read(path, HeldOutMetrics) == [record, dataclasses.replace(record, usage={})]


def test_what_is_not_finite_is_no_number():
    found = validation(0, 4, [[math.nan, 1.0], [1.0, 1.0], [math.inf, 1.0]], samples=(held_out_sample(0, l1=math.nan),))
    metrics = held_out_metrics(found, "inpaint")
    assert (metrics.loss, metrics.overall) == (None, None)
    assert metrics.per_time == {"inpaint": [None, 1.0], "grounding": [None, 1.0]}
    assert held_out_scalars(metrics) == {"held_out/seconds": 3.0}
    assert [finite(each) for each in (math.nan, -math.inf, 0.0)] == [None, None, 0.0]
