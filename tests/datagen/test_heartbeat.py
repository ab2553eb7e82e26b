"""A long step says that it is alive, from its begin on, and is silent when it has ended."""

import time

import pytest

from cologen.datagen.heartbeat import INTERVAL, heartbeat


def test_a_line_at_each_interval_and_none_after_the_end():
    said = list[str]()
    with heartbeat(lambda: "drawing", said.append, interval=0.02):
        deadline = time.monotonic() + 10
        while len(said) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    number = len(said)
    time.sleep(0.1)
    assert number >= 3 and len(said) == number
    assert said[0] == "drawing (0:00)"


def test_an_error_in_the_block_ends_it_too():
    said = list[str]()
    with pytest.raises(ZeroDivisionError), heartbeat(lambda: "drawing", said.append, interval=30.0):
        _ = 1 / 0
    assert said == []


def test_a_log_has_a_line_in_any_half_minute():
    assert INTERVAL < 30
