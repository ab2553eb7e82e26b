"""Intervals of the flow time t by which losses are told apart.

L_task differs several times over t, so that its mean over a batch says little of where in t it falls.
"""

from __future__ import annotations

_NUM_BINS = 5

TIME_BINS = tuple(f"{number / _NUM_BINS:.1f}-{(number + 1) / _NUM_BINS:.1f}" for number in range(_NUM_BINS))
"""The names of the intervals, equally long: ``0.0-0.2``, without its end, up to ``0.8-1.0``, with its end."""


def time_bin(time: float) -> str:
    """The interval of a time in [0, 1]."""
    return TIME_BINS[min(int(time * _NUM_BINS), _NUM_BINS - 1)]
