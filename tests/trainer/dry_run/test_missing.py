"""Rows are taken evenly; all else that can be missing is tried through the whole plan, in ``test_dry_run``."""

from cologen.trainer.dry_run.missing import _evenly


def test_some_values_are_taken_evenly_with_both_ends():
    assert _evenly([], 3) == []
    assert _evenly([5], 3) == [5]
    assert _evenly(range(3), 3) == [0, 1, 2]
    assert _evenly(range(100), 3) == [0, 49, 99]
