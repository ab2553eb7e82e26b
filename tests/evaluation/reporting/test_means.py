"""Figures computed by hand: a missing output never makes one better, and what cannot be counted is withheld."""

from __future__ import annotations

from pathlib import Path

import pytest

from cologen.evaluation.metric import AnyMetric
from cologen.evaluation.records import Item
from cologen.evaluation.reporting.bootstrap import Bootstrap
from cologen.evaluation.reporting.figures import Figure
from cologen.evaluation.reporting.means import NO_SET_INTERVAL, ONE_CLUSTER, figures_of
from cologen.evaluation.scoring.log import OutputScore
from tests.evaluation.reporting.made_up import (
    failed,
    item,
    item_metric,
    metric,
    numbered,
    scored,
    set_metric,
    table,
)

FEW = Bootstrap(resamples=100)
ITEMS = [item("a", group="x"), item("b", group="x"), item("c", group="x"), item("d", group="y")]


def figure(folder: Path, items: list[Item], of: AnyMetric, scores: list[OutputScore]) -> Figure:
    (found,) = figures_of(table(folder, items, [of], scores), [of], FEW)
    return found


def test_the_mean_and_its_counts(tmp_path: Path) -> None:
    scores = [scored(name, clip_i=value) for name, value in zip("abcd", (0.2, 0.4, 0.6, 1.0), strict=True)]
    found = figure(tmp_path, ITEMS, metric(), scores)
    assert found.figure == found.mean_of_scored == pytest.approx(0.55)
    assert (found.counts.expected, found.counts.scored, found.counts.problems) == (4, 4, {})
    assert not found.pessimistic
    assert found.interval is not None
    assert found.interval.low < 0.55 < found.interval.high
    assert {name: each.figure for name, each in found.groups.items()} == {"x": pytest.approx(0.4), "y": 1.0}


def test_a_macro_figure_is_the_mean_over_groups(tmp_path: Path) -> None:
    scores = [scored(name, clip_i=value) for name, value in zip("abcd", (0.2, 0.4, 0.6, 1.0), strict=True)]
    found = figure(tmp_path, ITEMS, metric(macro=True), scores)
    assert found.figure == pytest.approx((0.4 + 1.0) / 2)


def test_an_output_with_a_problem_counts_as_the_worst(tmp_path: Path) -> None:
    scores = [scored("a", clip_i=0.9), failed("b", reason="unreadable"), scored("d", clip_i=0.6)]
    found = figure(tmp_path, ITEMS, metric(worst=-1.0), scores)
    assert found.figure == pytest.approx((0.9 - 1 - 1 + 0.6) / 4)
    assert found.mean_of_scored == pytest.approx(0.75)
    assert found.counts.problems == {"unreadable": 1, "missing": 1}
    assert found.pessimistic
    macro = figure(tmp_path / "macro", ITEMS, metric(worst=-1.0, macro=True), scores)
    assert macro.figure == pytest.approx(((0.9 - 1 - 1) / 3 + 0.6) / 2)
    assert macro.mean_of_scored == pytest.approx((0.9 + 0.6) / 2)


def test_without_a_worst_value_the_figure_is_withheld(tmp_path: Path) -> None:
    scores = [scored("a", clip_i=0.9), scored("b", clip_i=0.7), scored("c", clip_i=0.5)]
    for macro in (False, True):
        found = figure(tmp_path / str(macro), ITEMS, metric(worst=None, macro=macro), scores)
        assert found.figure is None
        assert found.interval is None
        assert found.withheld.startswith("1 output has a problem")
        assert found.mean_of_scored == pytest.approx(0.7)
        assert found.groups["x"].figure == pytest.approx(0.7)


def test_outputs_to_which_a_metric_does_not_apply_are_counted_apart(tmp_path: Path) -> None:
    scores = [scored(name, clip_i=value) for name, value in zip("abcd", (0.5, 1.0, None, None), strict=True)]
    found = figure(tmp_path, ITEMS, metric(), scores)
    assert found.figure == pytest.approx(0.75)
    assert found.counts.not_applicable == 2
    macro = figure(tmp_path / "macro", ITEMS, metric(macro=True), scores)
    assert macro.figure == pytest.approx(0.75)
    assert macro.groups["y"].withheld == "the metric applies to no output"


def test_a_metric_that_applies_to_nothing_has_no_figure(tmp_path: Path) -> None:
    found = figure(tmp_path, ITEMS, metric(), [scored(name, clip_i=None) for name in "abcd"])
    assert (found.figure, found.mean_of_scored) == (None, None)
    assert found.withheld == "the metric applies to no output"


def test_an_empty_log_is_as_bad_as_can_be(tmp_path: Path) -> None:
    found = figure(tmp_path, ITEMS, metric(), [])
    assert (found.figure, found.mean_of_scored) == (0.0, None)
    assert found.counts.problems == {"missing": 4}


def test_outputs_of_one_cluster_have_no_interval(tmp_path: Path) -> None:
    items = [item("a", cluster="s"), item("b", cluster="s")]
    found = figure(tmp_path, items, metric(), [scored("a", clip_i=0.0), scored("b", clip_i=1.0)])
    assert found.figure == pytest.approx(0.5)
    assert (found.interval, found.no_interval) == (None, ONE_CLUSTER)


def test_items_of_one_cluster_vary_together(tmp_path: Path) -> None:
    """Four values of two clusters, equal within each: the interval is the clusters', wider than four outputs' own."""
    items = [item("a", cluster="s"), item("b", cluster="s"), item("c", cluster="t"), item("d", cluster="t")]
    scores = [scored(name, clip_i=value) for name, value in zip("abcd", (0.0, 0.0, 1.0, 1.0), strict=True)]
    found = figure(tmp_path, items, metric(), scores).interval
    assert found is not None
    assert (found.low, found.high) == (0.0, 1.0)


def test_an_item_metric_is_the_mean_over_items(tmp_path: Path) -> None:
    items = [item("a", num_outputs=2), item("b", num_outputs=2), item("c", num_outputs=1)]
    scores = [
        numbered("a", 0, canny_f1=0.25),
        numbered("a", 1, canny_f1=0.5),
        numbered("b", 0, canny_f1=0.75),
        numbered("c", 0, canny_f1=0.3),
    ]
    found = figure(tmp_path, items, item_metric(), scores)
    assert found.unit == "item"
    assert found.figure == pytest.approx((0.75 + 0.0 + 0.3) / 3)
    assert found.mean_of_scored == pytest.approx((0.75 + 0.3) / 2)
    assert (found.counts.expected, found.counts.scored, found.counts.problems) == (5, 4, {"missing": 1})


def test_a_set_metric_takes_all_outputs_or_each_number_as_a_set(tmp_path: Path) -> None:
    items = [item("a", num_outputs=2), item("b", num_outputs=2)]
    scores = [
        numbered("a", 0, fid=2.0),
        numbered("a", 1, fid=3.0),
        numbered("b", 0, fid=5.0),
        numbered("b", 1, fid=7.0),
    ]
    found = figure(tmp_path, items, set_metric(), scores)
    assert found.figure == pytest.approx(2 * 3 * 5 * 7)
    assert (found.interval, found.no_interval) == (None, NO_SET_INTERVAL)
    each = figure(tmp_path / "each", items, set_metric(each_number=True), scores)
    assert each.figure == pytest.approx((2 * 5 + 3 * 7) / 2)


def test_a_set_metric_is_withheld_while_an_output_is_missing(tmp_path: Path) -> None:
    items = [item("a"), item("b"), item("c")]
    found = figure(tmp_path, items, set_metric(), [numbered("a", fid=2.0), numbered("c", fid=3.0)])
    assert found.figure is None
    assert found.withheld.startswith("1 output has a problem")
    assert found.mean_of_scored == pytest.approx(6.0)


def test_a_set_metric_that_is_not_finite_is_withheld(tmp_path: Path) -> None:
    found = figure(tmp_path, [item("a")], set_metric(), [numbered("a", fid=float("inf"))])
    assert (found.figure, found.mean_of_scored) == (None, None)
    assert found.withheld == "it is inf"


def test_a_set_metric_that_cannot_be_stated_says_why(tmp_path: Path) -> None:
    """Output number 1 of no item has a statistic, without any of them being missing."""
    items, scores = [item("a", num_outputs=2)], [numbered("a", 0, fid=2.0), scored("a", 1, fid=None)]
    found = figure(tmp_path, items, set_metric(each_number=True), scores)
    assert (found.figure, found.mean_of_scored, found.withheld) == (None, None, "a product of nothing")
