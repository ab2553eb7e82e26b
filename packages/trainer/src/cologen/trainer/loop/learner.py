"""One optimizer step: micro batches in, gradients over all processes, AdamW, and the moving average of what trains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from cologen.model.routing import Routing
from cologen.model.veteran import Usage, VeteranGate
from cologen.trainer.distributed import Processes, clip, gathering
from cologen.trainer.loop.learning_rates import grouped, set_learning_rate
from cologen.trainer.loop.loss import Losses
from cologen.trainer.loop.muon import Muon
from cologen.trainer.loop.time_bins import time_bin
from cologen.trainer.recipes.optimizer import Optimizer

MicroLoss = Callable[[], tuple[Losses, Sequence[str]]]
"""Computes the losses of a micro batch, and names the task of each sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """Metrics of one step; over all processes, except where noted."""

    loss: float
    """L_task, the mean over the global batch."""
    veteran: float
    usage: float | None
    """U_t, hard, of the stage's own task alone with ``gate_per_task``; None if the step had no such sample."""
    gradient_norm: float
    skipped: bool
    """Whether the step was skipped, since the loss or the gradient was not finite."""
    routing: Routing | None
    """Of this process's last micro batch."""
    per_task: Mapping[str, tuple[float, int]]
    """L_task added up over this process's samples, and their number, by task."""
    per_time_bin: Mapping[str, tuple[float, int]]
    """The same by the interval of the sample's t; see ``time_bins``."""


class Learner:
    """The weights that train, their optimizer and their moving average."""

    def __init__(
        self,
        model: nn.Module,
        trained: Mapping[str, nn.Parameter],
        settings: Optimizer,
        *,
        ema_decay: float,
        clip: float,
        processes: Processes,
        router_rate: float = 1.0,
        gate: VeteranGate | None = None,
    ) -> None:
        """``router_rate`` is what the routers' learning rate is multiplied by. ``gate`` is that of a stage with
        experts; without it, there is no veteran loss."""
        self.model, self.trained, self.processes, self.gate = model, dict(trained), processes, gate
        self.optimizer = _optimizer(self.trained, settings, router_rate)
        self.average = {name: weight.detach().clone() for name, weight in self.trained.items()} if ema_decay else {}
        self._decay, self._clip = ema_decay, clip
        self.num_updates = 0
        """Steps of the optimizer that were not skipped, those before a checkpoint counted in."""
        self.num_skipped = 0
        self.num_skipped_in_row = 0
        """Counted in this process only: a run that continues from a checkpoint gets as many tries again."""

    def step(self, micro_losses: Sequence[MicroLoss], learning_rate: float) -> StepReport:
        """Descend L_task + L_veteran of a global batch, of which these micro batches, all equally large, are a part."""
        count, per_sample, at_time = len(micro_losses), list[Tensor](), list[Tensor]()
        named, routing, own = list[str](), None, None
        for number, micro_loss in enumerate(micro_losses):
            with gathering(self.model, last=number == count - 1):
                losses, tasks = micro_loss()
                (losses.task / count).backward()
            per_sample.append(losses.per_sample)
            at_time.append(losses.time)
            named.extend(tasks)
            routing = losses.routing
            if routing is not None:  # summed at once: of many micro batches the slopes would be large
                own = Usage.of(routing) if own is None else own + Usage.of(routing)
        # Numbers are read only now, so that the GPU gets the next micro batch before it has finished this one.
        values, times = torch.stack([torch.cat(per_sample), torch.cat(at_time)]).tolist()
        loss = self.processes.sum(sum(values) / len(values)) / self.processes.size
        usage, veteran = (None, 0.0) if own is None else self._supervise(own.of_all_processes())
        norm = clip(self.trained.values(), self._clip)
        skipped = not (isfinite(loss) and isfinite(norm))
        if skipped:
            self.num_skipped += 1
            self.num_skipped_in_row += 1
        else:
            self.num_skipped_in_row = 0
            set_learning_rate(self.optimizer, learning_rate)
            self.optimizer.step()
            self._follow()
        self.optimizer.zero_grad(set_to_none=True)
        return StepReport(
            loss=loss,
            veteran=veteran,
            usage=usage,
            gradient_norm=norm,
            skipped=skipped,
            routing=routing,
            per_task=_added_up(named, values),
            per_time_bin=_added_up(map(time_bin, times), values),
        )

    def _supervise(self, usage: Usage) -> tuple[float | None, float]:
        """U_t and L_veteran of the global batch; adds the gradient of L_veteran to that of L_task."""
        if self.gate is None or not self.gate.alpha:
            return usage.share, 0.0
        self.gate.add_gradient(self.model, usage)
        return usage.share, self.gate.loss(usage)

    @torch.no_grad()
    def _follow(self) -> None:
        for name, average in self.average.items():
            average.lerp_(self.trained[name].detach(), 1 - decay_at(self.num_updates, self._decay))
        self.num_updates += 1


def _added_up(names: Iterable[str], values: Sequence[float]) -> dict[str, tuple[float, int]]:
    """The sum of the values of each name, and their number."""
    found: dict[str, tuple[float, int]] = {}
    for name, value in zip(names, values, strict=True):
        total, count = found.get(name, (0.0, 0))
        found[name] = (total + value, count + 1)
    return found


def decay_at(num_updates: int, decay: float) -> float:
    """The moving average's decay after so many updates: small at first, so that the initial weights are soon forgotten.

    ``min(decay, (1 + n) / (10 + n))``, as in TensorFlow's ``ExponentialMovingAverage`` with ``num_updates``.
    """
    return min(decay, (1 + num_updates) / (10 + num_updates))


def _optimizer(named: Mapping[str, nn.Parameter], settings: Optimizer, router_rate: float) -> torch.optim.Optimizer:
    """AdamW, in 8 bits where that was asked for, which bitsandbytes does; or Muon."""
    weights, groups = list(named.values()), grouped(named, router_rate)
    if settings.kind == "muon":
        _refuse_sharded(weights, "optimizer.kind=muon", "adamw")
        return Muon(named, settings, router_rate)
    options: dict[str, Any] = {"betas": settings.betas, "eps": settings.eps, "weight_decay": settings.weight_decay}
    if not settings.eight_bit:
        return torch.optim.AdamW(groups, lr=0.0, **options)
    try:
        from bitsandbytes.optim import AdamW8bit  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ValueError(
            "optimizer.eight_bit needs bitsandbytes: uv sync --extra eight-bit, or set it to false"
        ) from error
    _refuse_sharded(weights, "optimizer.eight_bit", "false")
    return AdamW8bit(groups, lr=0.0, **options)


def _refuse_sharded(weights: Sequence[nn.Parameter], what: str, instead: str) -> None:
    if any(isinstance(weight, DTensor) for weight in weights):
        raise ValueError(f"{what} cannot be sharded: use --strategy ddp, or set it to {instead}")
