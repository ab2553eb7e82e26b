"""What a metric is: how one output is measured, and how all outputs together become one figure.

Metric      a number of each output                           figure: the mean over outputs
ItemMetric  a number of all outputs of one item together      figure: the mean over items    (canny F1)
SetMetric   a number of all outputs of a benchmark together   figure: that number            (mIoU, FID)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cologen.evaluation.records import Case, Need

Better = Literal["higher", "lower"]
Statistic = Mapping[str, np.ndarray]
"""What one output contributes to a number of several: arrays by name, of the same shapes for every output."""


class WithheldError(Exception):
    """A set's figure that cannot be stated, such as FID of one picture; its words say why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric with one value for each output.

    ``name`` is unique in a benchmark (``clip_i``, ``l1_inside``). ``best`` is the value of a perfect output, and
    ``worst`` what an output that cannot be scored counts as, so that a mean never gets better by missing outputs; None
    where there is no bound: then the figure is withheld while outputs are missing. ``protocol`` says in one line what
    decides the value: reference, resizing, network, caption.

    ``value`` may raise ``ScoreError``. It returns None where the metric does not apply to a case (nothing is outside a
    region that covers the picture): such outputs are counted apart.

    ``macro``: the figure is the mean over the items' groups of each group's mean (GEdit-Bench), not over outputs.
    """

    name: str
    title: str
    better: Better
    best: float
    worst: float | None
    protocol: str
    value: Callable[[Case], float | None]
    needs: tuple[Need, ...] = ()
    macro: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemMetric:
    """A metric with one value for all outputs of an item together: ``value(statistics of its outputs)``."""

    name: str
    title: str
    better: Better
    best: float
    worst: float | None
    protocol: str
    statistic: Callable[[Case], Statistic]
    value: Callable[[Sequence[Statistic]], float]
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMetric:
    """A metric of all outputs together.

    ``figure`` takes the statistics of all outputs one at a time, in the order of the items, so that memory does not
    grow with their number. ``each_number``: outputs number 0 of all items are one set, outputs number 1 another, and
    the figure is the mean over these sets (ControlNet++'s FID). It is withheld while an output has no statistic, and
    where ``figure`` raises ``WithheldError``.
    """

    name: str
    title: str
    better: Better
    best: float
    protocol: str
    statistic: Callable[[Case], Statistic]
    figure: Callable[[Iterable[Statistic]], float]
    needs: tuple[Need, ...] = ()
    each_number: bool = False


AnyMetric = Metric | ItemMetric | SetMetric
