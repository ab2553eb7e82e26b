"""Logs come back as they were written, survive being cut short, and forget what a run goes back behind."""

from pathlib import Path

import pytest

from cologen.trainer.watchers.metrics import RoutingMetrics, append, forget_after, read


def record(stage: int, step: int) -> RoutingMetrics:
    return RoutingMetrics(
        stage=stage, task="inpaint", step=step, num_samples=4, usage=[[0.25, 0.75]], entropy=[0.5], gate_weight=[0.75]
    )


def test_what_is_appended_is_read(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    assert read(path, RoutingMetrics) == []
    for step in (1, 2):
        append(path, record(0, step))
    assert read(path, RoutingMetrics) == [record(0, 1), record(0, 2)]


def test_a_line_cut_short_is_left_out(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    append(path, record(0, 1))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    assert read(path, RoutingMetrics) == [record(0, 1)]
    forget_after(path, 0, 5)
    append(path, record(0, 6))
    assert [each.step for each in read(path, RoutingMetrics)] == [1, 6]


def test_later_steps_and_later_stages_are_forgotten(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    forget_after(path, 0, 0)  # nothing to forget
    for stage, step in ((0, 5), (0, 10), (1, 5), (1, 10), (2, 5)):
        append(path, record(stage, step))
    forget_after(path, 1, 5)
    assert [(each.stage, each.step) for each in read(path, RoutingMetrics)] == [(0, 5), (0, 10), (1, 5)]


def test_numbers_that_are_none_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="JSON"):
        append(tmp_path / "log.jsonl", RoutingMetrics(**{**_fields(), "entropy": [float("nan")]}))


def _fields() -> dict[str, object]:
    one = record(0, 1)
    return {name: getattr(one, name) for name in RoutingMetrics.__dataclass_fields__}
