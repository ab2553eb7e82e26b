"""The share of pairs ranked right, by hand; ties are chance; a perfect and a reversed metric."""

from __future__ import annotations

import pytest

from cologen.evaluation.auditing.ranking import ranking, share_of_pairs, table


def test_pairs_by_hand() -> None:
    assert share_of_pairs([1.0, 0.8, 0.9], "higher") == pytest.approx(2 / 3)
    assert share_of_pairs([1.0, 0.8, 0.9], "lower") == pytest.approx(1 / 3)
    assert share_of_pairs([0.0, 0.1, 0.2, 0.3], "lower") == 1
    assert share_of_pairs([0.5, 0.5, 0.5], "lower") == 0.5


def test_a_ranking_is_the_mean_over_edits_with_steps_against_the_target() -> None:
    found = ranking([[0.0, 1.0, 2.0], [0.0, 0.0], [3.0]], "lower", key="k")
    assert found.share == pytest.approx((1 + 0.5) / 2)
    assert found.num_edits == 2
    assert found.steps == (pytest.approx(0.75), 1.0)
    assert 0.5 <= found.low <= found.share <= found.high <= 1
    assert found == ranking([[0.0, 1.0, 2.0], [0.0, 0.0], [3.0]], "lower", key="k")


def test_a_ladder_that_no_edit_allows_is_left_out() -> None:
    values = {("l1", "blur"): [[0.0, 1.0]], ("l1", "place"): [[0.0], []]}
    assert set(table(values, {"l1": "lower"})) == {("l1", "blur")}
    with pytest.raises(ValueError, match="no ladder"):
        ranking([[0.0]], "lower", key="k")
