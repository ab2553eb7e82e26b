"""The learning rate of each weight: a stage's own, which its routers may multiply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

_RATE = "router_rate"


def grouped(weights: Mapping[str, nn.Parameter], router_rate: float) -> list[dict[str, Any]]:
    """An optimizer's groups of parameters: routers, and all others; one alone where both learn at one rate."""
    if router_rate == 1:
        return [{"params": list(weights.values())}]
    routers = [weight for name, weight in weights.items() if ".router." in name]
    others = [weight for name, weight in weights.items() if ".router." not in name]
    return [{"params": others}, {"params": routers, _RATE: router_rate}]


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set that of every group, ``learning_rate`` being the stage's."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get(_RATE, 1.0)
