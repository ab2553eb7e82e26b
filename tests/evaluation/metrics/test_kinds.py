"""Metrics made alike: references, regions, scales and what is missing."""

import numpy as np
import pytest

from cologen.evaluation.metrics import kinds, pixels
from cologen.evaluation.records import Need, ScoreError
from tests.evaluation.metrics.cases import case_of, flat


def test_several_references_are_averaged() -> None:
    metric = kinds.pixel_metric("l1", "L1", "mean |a - b|", pixels.mean_absolute, "references", None, None)
    assert metric.value(case_of(flat(0), references=(flat(51), flat(102)))) == pytest.approx(0.3, abs=1e-15)
    assert (metric.name, metric.title, metric.better) == ("l1", "L1", "lower")


def test_features_of_references_are_rows() -> None:
    metric = kinds.image_cosine("dino", "DINO", "dino", "references")
    output, references = (Need(network="dino", slot=slot) for slot in ("output", "references"))
    assert metric.needs == (output, references)
    readings = {output: np.array([1.0, 0.0]), references: np.array([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])}
    assert metric.value(case_of(flat(0), readings)) == 0


def test_a_region_that_is_missing_is_no_whole_picture() -> None:
    metric = kinds.pixel_metric("l1", "L1", "mean |a - b|", pixels.mean_absolute, "target", "outside", None)
    assert metric.name == "l1_outside" and metric.protocol.endswith("outside the region")
    with pytest.raises(ScoreError, match="no region"):
        metric.value(case_of(flat(0), target=flat(0)))
    whole = np.ones((4, 6), dtype=np.uint8)
    assert metric.value(case_of(flat(0), target=flat(0), region=whole)) is None


def test_judged_metrics_are_means_over_groups() -> None:
    metric = kinds.judged("mean", "Mean", "the mean", lambda scores: float(scores.mean()), (1.0, 5.0))
    assert metric.macro and (metric.worst, metric.best) == (1, 5)
    assert metric.value(case_of(flat(0), {metric.needs[0]: np.array([1.0, 4.0])})) == 2.5


def test_an_exact_edit_needs_source_and_target() -> None:
    metric = kinds.exact("share", "Share", "a share", lambda edit: float(edit.asked().mean()), 5.0)
    assert metric.value(case_of(flat(0), source=flat(0), target=flat(99))) == 1
    with pytest.raises(ScoreError, match="bad_input: ball-1 lacks a source or a target"):
        metric.value(case_of(flat(0), target=flat(1)))
