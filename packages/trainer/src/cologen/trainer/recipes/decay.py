"""The end of a learning-rate schedule: along what the rate falls, and to which share of its value."""

from __future__ import annotations

from math import cos, pi, sqrt
from typing import Literal

DecayForm = Literal["cosine", "linear", "1-sqrt"]


def remaining(form: DecayForm, left: float, floor: float) -> float:
    """The share of the learning rate that remains where the share ``left``, in [0, 1], of the decay is still to come.

    It is 1 at ``left`` 1 and ``floor`` at 0. ``1-sqrt`` is the cooldown of Hägele et al. 2024 (arXiv:2405.18392),
    which for warm-up–stable–decay gave lower losses than a line.
    """
    falling = _falling(form, left)
    return floor + (1 - floor) * falling if floor else falling


def _falling(form: DecayForm, left: float) -> float:
    match form:
        case "cosine":
            return 0.5 - 0.5 * cos(pi * left)
        case "linear":
            return left
        case "1-sqrt":
            return 1 - sqrt(1 - left)


def described(share: float, form: DecayForm, floor: float) -> str:
    """The decay in words that follow the rate: nothing where there is none, else ``, last 40 % cosine to 0``."""
    if not share:
        return ""
    when = "" if share == 1 else f"last {100 * share:.3g} % "
    return f", {when}{form} to {f'{100 * floor:.3g} %' if floor else '0'}"
