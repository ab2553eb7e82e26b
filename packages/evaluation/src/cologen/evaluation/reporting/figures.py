"""The figures of one candidate: what a metric says of all its outputs, and how many outputs that rests on.

These records are written to ``results.json`` as they are, and checked when they are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cologen.evaluation.metric import Better
from cologen.evaluation.records import REASONS

Unit = Literal["output", "item", "set"]
"""What a metric has one number of: an output, all outputs of an item, or all outputs of the benchmark."""


class Checked(BaseModel):
    """Frozen, without unknown fields, without NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Interval(Checked):
    """A bootstrap percentile interval, clusters resampled."""

    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Interval:
        if self.low > self.high:
            raise ValueError(f"an interval goes from low to high, got {self.low:g} to {self.high:g}")
        return self


class Counts(Checked):
    """How many outputs a figure rests on: each expected output is scored, does not apply, or has one problem."""

    expected: int = Field(ge=0)
    scored: int = Field(ge=0)
    not_applicable: int = Field(ge=0)
    problems: Mapping[str, int] = Field(default_factory=dict)

    @property
    def num_problems(self) -> int:
        """Outputs that should have been scored and were not."""
        return sum(self.problems.values())

    @model_validator(mode="after")
    def _add_up(self) -> Counts:
        if unknown := sorted(self.problems.keys() - REASONS.keys()):
            raise ValueError(f"unknown reason {unknown[0]!r}: expected one of {', '.join(REASONS)}")
        if any(count < 1 for count in self.problems.values()):
            raise ValueError("problems hold only reasons that occurred")
        found = self.scored + self.not_applicable + self.num_problems
        if found != self.expected:
            raise ValueError(f"{self.expected} outputs were expected, but {found} are counted")
        return self


class Mean(Checked):
    """A figure, of all outputs or of a group.

    ``figure`` counts an output with a problem as the metric's worst value; None where it is withheld, and ``withheld``
    says why. ``mean_of_scored`` leaves such outputs out: it can only be compared where none is missing.
    """

    counts: Counts
    figure: float | None
    mean_of_scored: float | None
    withheld: str = ""
    interval: Interval | None = None

    @property
    def pessimistic(self) -> bool:
        """Whether outputs with problems are in the figure as the metric's worst value."""
        return self.figure is not None and self.counts.num_problems > 0

    @model_validator(mode="after")
    def _withheld_with_a_reason(self) -> Mean:
        if (self.figure is None) != bool(self.withheld):
            raise ValueError("a figure is withheld exactly where the reason is given")
        return self


class Figure(Mean):
    """A metric's figure.

    ``macro``: it is the mean over groups of their figures. ``networks`` are the names of those that it rests on.
    ``no_interval`` says why there is none.
    """

    metric: str
    title: str
    unit: Unit
    better: Better
    best: float
    worst: float | None
    macro: bool
    protocol: str
    networks: tuple[str, ...] = ()
    no_interval: str = ""
    groups: Mapping[str, Mean] = Field(default_factory=dict)
