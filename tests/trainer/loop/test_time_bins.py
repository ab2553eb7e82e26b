"""The intervals of t cover [0, 1] without gaps, each time in one of them."""

import pytest

from cologen.trainer.loop.time_bins import TIME_BINS, time_bin


def test_the_intervals_follow_each_other_from_0_to_1():
    ends = [tuple(map(float, name.split("-"))) for name in TIME_BINS]
    assert [low for low, _ in ends] == [0.0, 0.2, 0.4, 0.6, 0.8]
    assert [high for _, high in ends] == [0.2, 0.4, 0.6, 0.8, 1.0]


@pytest.mark.parametrize(
    ("time", "name"),
    [(0.0, "0.0-0.2"), (0.1999, "0.0-0.2"), (0.2, "0.2-0.4"), (0.6, "0.6-0.8"), (0.9999, "0.8-1.0"), (1.0, "0.8-1.0")],
)
def test_an_interval_holds_its_beginning_and_the_last_one_its_end(time: float, name: str):
    assert time_bin(time) == name
