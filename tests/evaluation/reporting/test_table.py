"""A log as arrays: every expected output has a code, and a log that does not fit its benchmark is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cologen.evaluation.reporting.table import NOT_APPLICABLE, REASON_CODES, SCORED, layout_of
from tests.evaluation.reporting.made_up import failed, item, item_metric, metric, numbered, scored, table

ITEMS = [item("a", num_outputs=2), item("b"), item("c")]


def test_every_expected_output_has_a_code_and_the_absent_ones_are_missing(tmp_path: Path) -> None:
    scores = [scored("a", 1, clip_i=0.5), scored("c", clip_i=None)]
    made = table(tmp_path, ITEMS, [metric()], scores)
    assert made.examples == {"missing": ["output 0 of a: not in the log", "output 0 of b: not in the log"]}
    column = made.columns["clip_i"]
    missing = REASON_CODES["missing"]
    assert column.codes.tolist() == [missing, SCORED, missing, NOT_APPLICABLE]
    np.testing.assert_array_equal(column.values, [np.nan, 0.5, np.nan, np.nan])


def test_a_problem_is_of_one_metric_or_of_all(tmp_path: Path) -> None:
    scores = [
        failed("a", 0, reason="unreadable"),
        failed("a", 1, reason="long_text", of="clip_t", clip_i=0.5),
        scored("b", clip_i=0.25, clip_t=0.75),
        scored("c", clip_i=0.0, clip_t=0.0),
    ]
    columns = table(tmp_path, ITEMS, [metric("clip_i"), metric("clip_t")], scores).columns
    assert columns["clip_i"].codes.tolist() == [REASON_CODES["unreadable"], SCORED, SCORED, SCORED]
    assert columns["clip_t"].codes.tolist() == [REASON_CODES["unreadable"], REASON_CODES["long_text"], SCORED, SCORED]


def test_an_item_has_a_number_when_all_its_outputs_have_a_statistic(tmp_path: Path) -> None:
    items = [item("a", num_outputs=2), item("b", num_outputs=2), item("c", num_outputs=2)]
    scores = [
        numbered("a", 0, canny_f1=0.25),
        numbered("a", 1, canny_f1=0.5),
        numbered("b", 1, canny_f1=0.5),
        numbered("c", 0, canny_f1=np.inf),
        numbered("c", 1, canny_f1=1.0),
    ]
    column = table(tmp_path, items, [item_metric()], scores).columns["canny_f1"]
    np.testing.assert_array_equal(column.values, [0.75, np.nan, np.nan])
    missing, not_finite = REASON_CODES["missing"], REASON_CODES["not_finite"]
    assert column.codes.tolist() == [SCORED, SCORED, missing, SCORED, not_finite, not_finite]


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([scored("x", clip_i=1.0)], "output 0 of x is of no item of this benchmark"),
        ([scored("b", 1, clip_i=1.0)], "output 1 of b: the benchmark asks for 1"),
        ([scored("b", clip_i=1.0), scored("b", clip_i=1.0)], "output 0 of b is in the log twice"),
        ([scored("c", clip_i=1.0), scored("b", clip_i=1.0)], "not in the benchmark's order"),
        ([scored("b", l1=1.0)], "output 0 of b has neither value nor problem for clip_i"),
    ],
    ids=["extra item", "extra output", "twice", "order", "other metrics"],
)
def test_a_log_that_does_not_fit_is_refused(tmp_path: Path, scores: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        table(tmp_path, ITEMS, [metric()], scores)


def test_a_log_without_an_items_statistic_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither statistic nor problem for canny_f1"):
        table(tmp_path, ITEMS, [item_metric()], [scored("b", clip_i=1.0)])


def test_the_rows_of_a_layout_are_the_outputs_in_order() -> None:
    layout = layout_of(
        [item("a", cluster="x", group="g", num_outputs=2), item("b", cluster="y"), item("c", cluster="x")]
    )
    assert layout.starts.tolist() == [0, 2, 3, 4]
    assert layout.item_of_output.tolist() == [0, 0, 1, 2]
    assert layout.clusters.tolist() == [0, 1, 0]
    assert layout.group_names == ("g", "")


def test_items_with_one_id_or_none_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="two items of the benchmark have the id a"):
        layout_of([item("a"), item("a")])
    with pytest.raises(ValueError, match="no items"):
        layout_of([])
