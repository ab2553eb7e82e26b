"""Routing statistics over many micro batches, by task: usage, entropy and gate weight of every block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from cologen.model.routing import Routing


@dataclass(frozen=True, slots=True)
class Chosen:
    """Means over ``num_samples`` samples, as ``Routing`` has them."""

    num_samples: int
    usage: Float[np.ndarray, "blocks experts"]
    entropy: Float[np.ndarray, "blocks"]
    gate_weight: Float[np.ndarray, "blocks"]

    def __add__(self, other: Chosen) -> Chosen:
        total = self.num_samples + other.num_samples
        share = other.num_samples / total
        return Chosen(
            total,
            self.usage + share * (other.usage - self.usage),
            self.entropy + share * (other.entropy - self.entropy),
            self.gate_weight + share * (other.gate_weight - self.gate_weight),
        )

    def scalars(self) -> dict[str, float]:
        """Means over blocks: ``entropy``, ``gate_weight``, and ``usage_0`` … of the experts."""
        usage = {f"usage_{number}": share for number, share in enumerate(self.usage.mean(axis=0).tolist())}
        return {"entropy": float(self.entropy.mean()), "gate_weight": float(self.gate_weight.mean()), **usage}


@torch.no_grad()
def chosen_by_task(routing: Routing, tasks: Sequence[str]) -> dict[str, Chosen]:
    """What was chosen for the samples of each task, ``tasks`` naming that of each sample in the batch."""
    found: dict[str, Chosen] = {}
    probability = routing.probability.detach().cpu().double()  # not every device has float64
    for task in dict.fromkeys(tasks):
        places = [place for place, each in enumerate(tasks) if each == task]
        part = Routing(probability[places])
        found[task] = Chosen(len(places), part.usage().numpy(), part.entropy().numpy(), part.gate_weight().numpy())
    return found


def added(one: Mapping[str, Chosen], other: Mapping[str, Chosen]) -> dict[str, Chosen]:
    """Merge two sets of statistics, task by task."""
    return {**one, **{task: one[task] + chosen if task in one else chosen for task, chosen in other.items()}}
