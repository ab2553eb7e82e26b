"""The format of a run's log: JSON lines with metrics of every few steps, and routing statistics of each block.

    RUN/metrics.jsonl    StepMetrics, each the mean of up to ``log_every`` steps
    RUN/routing.jsonl    RoutingMetrics, some twenty of each stage
    RUN/held_out.jsonl   HeldOutMetrics, one of each validation, where the recipe has held-out rows

A run that continues from a checkpoint deletes the records of later steps, so no step occurs twice.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cologen.model.files import write_atomically
from cologen.trainer.json_files import read_lines

METRICS, ROUTING, HELD_OUT = "metrics.jsonl", "routing.jsonl", "held_out.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMetrics:
    """The mean of the last ``num_steps`` steps; None for a value that does not exist, as U_t without a source."""

    stage: int
    task: str
    step: int
    """Optimizer steps of the stage that are done."""
    num_steps: int
    loss: float | None
    """L_task over the global batches, without skipped steps; the next three likewise."""
    veteran: float | None
    usage: float | None
    """U_t, hard; of the stage's own task alone with ``gate_per_task``."""
    gradient_norm: float | None
    learning_rate: float
    """The stage's, in the last step; its routers' is that times ``router_rate``."""
    samples_per_second: float
    seconds: float
    waited: float
    """The part of ``seconds`` in which the loop waited for data."""
    skipped: int
    failed: int
    """Samples of these steps that could not be loaded and were replaced, over all processes."""
    per_task: Mapping[str, float]
    """L_task by the samples' task."""
    router: Mapping[str, float]
    """Means over blocks of the first process's micro batches: ``TASK/entropy`` (nats), ``TASK/gate_weight`` and
    ``TASK/usage_N`` of each expert."""
    per_time_bin: Mapping[str, float] = field(default_factory=dict)
    """L_task by the interval of the samples' t; those without a sample are left out."""
    peak_share: float | None = None
    """The share of the peak of all GPUs that was reached, as ``--utilization`` has it; None where that is not known."""
    gpu_memory: float | None = None
    """GB (10⁹) that the first process has held at most on its GPU, since it began; None on a CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingMetrics:
    """How the routers chose on samples of one task since the record before, in the first process."""

    stage: int
    task: str
    """Of the samples."""
    step: int
    num_samples: int
    usage: list[list[float]]
    """Blocks by experts: the share of choices, in [0, 1]."""
    entropy: list[float]
    """Of each block's router, in nats."""
    gate_weight: list[float]
    """Of each block: the mean weight of what was chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutMetrics:
    """A validation of the moving average; None stands for a number that was not finite."""

    stage: int
    task: str
    """Of the stage."""
    step: int
    protocol: str
    """Numbers of one protocol can be compared: they are of the same rows, times and noise."""
    seconds: float
    loss: float | None
    """The mean over the stage's own tasks; None also where they have no held-out rows."""
    overall: float | None
    """The mean over all tasks, those of the stages before among them."""
    num_rows: Mapping[str, int]
    """By task, the stage's own tasks first; so in the next three."""
    per_task: Mapping[str, float | None]
    """L_task, the mean over rows and times."""
    times: list[float]
    per_time: Mapping[str, list[float | None]]
    """L_task at each of ``times``."""
    measures: Mapping[str, Mapping[str, float | None]]
    """Means over the samples of the grid; empty where none was drawn."""
    usage: Mapping[str, list[float]] = field(default_factory=dict)
    """The share of blocks and rows of each task that chose each expert; empty where there are none."""


Record = StepMetrics | RoutingMetrics | HeldOutMetrics
Kind = TypeVar("Kind", StepMetrics, RoutingMetrics, HeldOutMetrics)


def append(path: Path, record: Record) -> None:
    """Add a record to a log."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(_plain(dataclasses.asdict(record)), allow_nan=False) + "\n")


def read(path: Path, kind: type[Kind]) -> list[Kind]:
    """The records of a log, in order; none if there is no log. Incomplete records are left out, but older ones, which
    lack only what has a default, are not."""
    fields = {each.name for each in dataclasses.fields(kind)}
    later = {each.name for each in dataclasses.fields(kind) if _has_default(each)}
    return [kind(**values) for values in read_lines(path) if fields - later <= values.keys() <= fields]


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return not (field.default is field.default_factory is dataclasses.MISSING)


def forget_after(path: Path, stage: int, step: int) -> int:
    """Drop what a log says of later steps, and of later stages; returns how many records that were."""
    if not path.exists():
        return 0
    found = read_lines(path)
    kept = [values for values in found if not _is_later(values, stage, step)]
    write_atomically(path, "".join(json.dumps(values) + "\n" for values in kept).encode())
    return len(found) - len(kept)


def _is_later(values: Mapping[str, Any], stage: int, step: int) -> bool:
    """Whether a record is of a later step; a record without a step counts as one."""
    found = values.get("stage"), values.get("step")
    return not all(isinstance(each, int) for each in found) or found > (stage, step)


def _plain(value: Any) -> Any:
    """Numbers at the precision that a log needs."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
