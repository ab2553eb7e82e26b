"""The record of one validation: the losses of held-out rows, and the samples of a grid with their measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

Bytes = UInt8[np.ndarray, "height width channels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutSample:
    """A held-out sample, what the model made of it, and its measures; pictures are RGB in [0, 255]."""

    sample_id: str
    task: str
    prompt: str
    pictures: Mapping[str, Bytes]
    """``source`` (unless there is none), ``target`` and ``generated``."""
    measures: Mapping[str, float]
    """Not of numbers that are not finite; filled in by the first process alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What was found after ``step`` steps of a stage; the same in every process, but for the samples' measures."""

    stage: int
    step: int
    protocol: str
    """Numbers of one protocol can be compared: they are of the same rows, times and noise."""
    own_tasks: tuple[str, ...]
    tasks: tuple[str, ...]
    """Of each row."""
    times: tuple[float, ...]
    losses: Float[np.ndarray, "rows times"]
    choices: Float[np.ndarray, "rows experts"]
    """Of each row, the share of blocks that chose each expert; without experts, of length 0."""
    seconds: float
    samples: tuple[HeldOutSample, ...]
    """Empty where no grid was due."""

    def of_task(self, task: str) -> Float[np.ndarray, "times"]:
        """L_task at each time, the mean over the rows of a task."""
        return self.losses[[each == task for each in self.tasks]].mean(axis=0)

    def usage(self, task: str) -> Float[np.ndarray, "experts"]:
        """The share of a task's rows and blocks that chose each expert."""
        return self.choices[[each == task for each in self.tasks]].mean(axis=0)

    @property
    def per_task(self) -> dict[str, float]:
        """The mean over rows and times of each task, the stage's own tasks first."""
        return {task: float(self.of_task(task).mean()) for task in dict.fromkeys(self.tasks)}

    @property
    def loss(self) -> float | None:
        """The mean over the stage's own tasks, each counting alike; None where none of them has rows."""
        own = [self.per_task[task] for task in self.own_tasks]
        return sum(own) / len(own) if own else None

    @property
    def overall(self) -> float:
        """The mean over all tasks, each counting alike."""
        return sum(self.per_task.values()) / len(self.per_task)

    @property
    def measures(self) -> dict[str, dict[str, float]]:
        """Means over the samples of each task that have the measure."""
        found: dict[str, dict[str, list[float]]] = {}
        for sample in self.samples:
            for name, value in sample.measures.items():
                found.setdefault(sample.task, {}).setdefault(name, []).append(value)
        return {
            task: {name: sum(values) / len(values) for name, values in named.items()} for task, named in found.items()
        }
