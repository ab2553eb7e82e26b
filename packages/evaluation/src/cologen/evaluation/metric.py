"""What a metric is: a number of each output, and how the numbers of all outputs become one figure.

per sample:  value(case) -> float                       figure: the mean of the values
over a set:  statistic(case) -> array,  figure(arrays)  such as mIoU (confusion matrices) and FID (features)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np

from cologen.evaluation.records import Case, Need

Better = Literal["higher", "lower"]
Statistic = Mapping[str, np.ndarray]
"""What one output contributes to a figure over a set: arrays by name, of the same shapes for every output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric with one value per output; its figure is their mean.

    ``name`` is unique in a benchmark (``clip_i``, ``l1_inside``). ``best`` is the value of a perfect output, and
    ``worst`` what an output that cannot be scored counts as in the pessimistic mean; None where there is no bound.
    ``protocol`` says in one line what decides the value: reference, resizing, network, caption.

    ``value`` may raise ``ScoreError``. It returns None where the metric does not apply to the case (no region outside
    of a mask that covers the picture): such cases are counted apart, by their number.
    """

    name: str
    title: str
    better: Better
    best: float
    worst: float | None
    protocol: str
    value: Callable[[Case], float | None]
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMetric:
    """A metric of all outputs together, such as mIoU and FID.

    ``statistic`` reads one output; ``figure`` takes the statistics of all outputs, in the order of the items, one at a
    time, so that memory does not grow with their number. ``per_output_group``: outputs number 0 of all items are one
    set, outputs number 1 another, and the figure is the mean over these sets (ControlNet++'s FID).
    """

    name: str
    title: str
    better: Better
    best: float
    protocol: str
    statistic: Callable[[Case], Statistic]
    figure: Callable[[Iterable[Statistic]], float]
    needs: tuple[Need, ...] = ()
    per_output_group: bool = False
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


AnyMetric = Metric | SetMetric
