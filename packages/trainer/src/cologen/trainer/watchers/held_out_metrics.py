"""A validation as its record in the log, and as scalars over the steps."""

from __future__ import annotations

from collections import Counter
from math import isfinite

from cologen.trainer.loop.validation import Validation
from cologen.trainer.watchers.metrics import HeldOutMetrics


def held_out_metrics(found: Validation, stage_task: str) -> HeldOutMetrics:
    """The record of a validation."""
    return HeldOutMetrics(
        stage=found.stage,
        task=stage_task,
        step=found.step,
        protocol=found.protocol,
        seconds=found.seconds,
        loss=None if found.loss is None else finite(found.loss),
        overall=finite(found.overall),
        num_rows=dict(Counter(found.tasks)),
        per_task={task: finite(loss) for task, loss in found.per_task.items()},
        times=list(found.times),
        per_time={task: [finite(each) for each in found.of_task(task).tolist()] for task in found.per_task},
        measures={
            task: {name: finite(value) for name, value in named.items()} for task, named in found.measures.items()
        },
        usage={task: found.usage(task).tolist() for task in found.per_task} if found.choices.size else {},
    )


def held_out_scalars(metrics: HeldOutMetrics) -> dict[str, float]:
    """What is drawn over the steps, under the names it has there."""
    values = {
        "held_out/loss": metrics.loss,
        "held_out/overall": metrics.overall,
        "held_out/seconds": metrics.seconds,
        **{f"held_out_by_task/{task}": loss for task, loss in metrics.per_task.items()},
        **{
            f"held_out_measures/{task}/{name}": value
            for task, named in metrics.measures.items()
            for name, value in named.items()
        },
    }
    return {name: value for name, value in values.items() if value is not None}


def finite(value: float) -> float | None:
    """None for what no log takes as a number."""
    return value if isfinite(value) else None
