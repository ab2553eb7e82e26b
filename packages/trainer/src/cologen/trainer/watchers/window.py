"""The steps since the last record in the log, and their mean as the next one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from cologen.trainer.data.batch import LoadedStep
from cologen.trainer.distributed import Processes
from cologen.trainer.loop.learner import StepReport
from cologen.trainer.loop.time_bins import TIME_BINS
from cologen.trainer.recipes.stages import Stage
from cologen.trainer.watchers.machine import Machine
from cologen.trainer.watchers.metrics import StepMetrics
from cologen.trainer.watchers.routing import Chosen, added, chosen_by_task


@dataclass
class Window:
    """What is averaged next."""

    begun: float
    """When, by the tracker's clock, without the time that validations took since."""
    reports: list[StepReport] = field(default_factory=list[StepReport])
    """Reports without their routing, which would keep gradients in memory."""
    waited: float = 0.0
    num_failed: int = 0
    chosen: dict[str, Chosen] = field(default_factory=dict[str, Chosen])

    def add(self, loaded: LoadedStep, report: StepReport) -> None:
        """Add a step, but for its routing."""
        self.reports.append(replace(report, routing=None))
        self.waited += loaded.waited
        self.num_failed += loaded.num_failed

    def add_routing(self, loaded: LoadedStep, report: StepReport) -> None:
        """Add how the routers chose in the step's last micro batch."""
        if report.routing is not None and not report.skipped:
            self.chosen = added(self.chosen, chosen_by_task(report.routing, loaded.micro_batches[-1].tasks))

    def averaged(
        self,
        number: int,
        stage: Stage,
        done: int,
        *,
        learning_rate: float,
        now: float,
        processes: Processes,
        machine: Machine,
    ) -> StepMetrics:
        """The record of these steps of stage ``number``, of which ``done`` are done (collective)."""
        sound = [report for report in self.reports if not report.skipped]
        seconds = max(now - self.begun, 1e-9)
        speed = len(self.reports) * stage.global_batch / seconds
        return StepMetrics(
            stage=number,
            task=stage.task,
            step=done,
            num_steps=len(self.reports),
            loss=_mean(report.loss for report in sound),
            veteran=_mean(report.veteran for report in sound),
            usage=_mean(report.usage for report in sound if report.usage is not None),
            gradient_norm=_mean(report.gradient_norm for report in sound),
            learning_rate=learning_rate,
            samples_per_second=speed,
            seconds=seconds,
            waited=self.waited,
            skipped=len(self.reports) - len(sound),
            failed=round(processes.sum(float(self.num_failed))),
            per_task=_means([report.per_task for report in sound], stage.manifest_tasks, processes),
            router={
                f"{task}/{name}": value
                for task, chosen in self.chosen.items()
                for name, value in chosen.scalars().items()
            },
            per_time_bin=_means([report.per_time_bin for report in sound], TIME_BINS, processes),
            peak_share=machine.peak_share(number, speed),
            gpu_memory=machine.memory(),
        )


def step_scalars(metrics: StepMetrics) -> dict[str, float]:
    """What is drawn over the steps, under the names it has there."""
    values = {
        "loss/task": metrics.loss,
        "loss/veteran": metrics.veteran,
        "routing/usage_newest": metrics.usage,
        "optimizer/gradient_norm": metrics.gradient_norm,
        "optimizer/learning_rate": metrics.learning_rate,
        "optimizer/skipped_steps": float(metrics.skipped),
        "data/samples_per_second": metrics.samples_per_second,
        "data/waited_share": metrics.waited / metrics.seconds,
        "data/failed_samples": float(metrics.failed),
        "machine/seconds_per_step": metrics.seconds / metrics.num_steps,
        "machine/peak_share": metrics.peak_share,
        "machine/gpu_memory_gb": metrics.gpu_memory,
        **{f"loss_by_task/{task}": loss for task, loss in metrics.per_task.items()},
        **{f"loss_by_time/{name}": loss for name, loss in metrics.per_time_bin.items()},
        **{f"router/{name}": value for name, value in metrics.router.items()},
    }
    return {name: value for name, value in values.items() if value is not None}


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return sum(known) / len(known) if known else None


def _means(
    found: Sequence[Mapping[str, tuple[float, int]]], names: Sequence[str], processes: Processes
) -> dict[str, float]:
    """The mean of each name over all processes, given sums and counts; names that no process saw are left out."""
    ours = [[sum((each[name][part] for each in found if name in each), 0.0) for part in (0, 1)] for name in names]
    summed: list[list[float]] = processes.sums(torch.tensor(ours, dtype=torch.float64)).tolist()
    return {name: total / count for name, (total, count) in zip(names, summed, strict=True) if count}
