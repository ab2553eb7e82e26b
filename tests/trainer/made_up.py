"""Steps that nobody did: micro batches, routings and reports of chosen numbers, to tell watchers of."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from cologen.model.routing import Routing
from cologen.trainer.data.batch import Batch, LoadedStep
from cologen.trainer.distributed import Processes
from cologen.trainer.loop.learner import StepReport
from cologen.trainer.loop.validation import HeldOutSample, Validation
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.world import world, world_base

ALONE = Processes(0, 1, torch.device("cpu"))


def short(base: bool = False, iterations: int = 10, **changes: Any) -> Recipe:
    """The recipe ``world``, of few small steps that are logged two by two."""
    recipe = world_base() if base else world()
    sizes = {"iterations": iterations, "global_batch": 4, "warmup_steps": 0, "decay_share": 0.0}
    settings: dict[str, Any] = {"micro_batch": 2, "log_every": 2, "num_samples": 3, **changes}
    return recipe.replace(stages=tuple(stage.replace(**sizes) for stage in recipe.stages), **settings)


def batch(task: str = "inpaint", first_place: int = 0, size: int = 2, side: int = 16, source: bool = True) -> Batch:
    """Pictures of one colour each."""
    places = tuple(range(first_place, first_place + size))
    shades = torch.linspace(0, 255, size + 1).byte()[1:].reshape(-1, 1, 1, 1).expand(-1, 3, side, side)
    return Batch(
        source=255 - shades.contiguous() if source else None,
        target=shades.contiguous(),
        mask=torch.zeros(size, 1, side, side, dtype=torch.uint8),
        prompts=tuple(f"a picture of {task}, number {place}" for place in places),
        tasks=(task,) * size,
        places=places,
    )


def loaded(step: int, task: str = "inpaint", failed: int = 0, **settings: Any) -> LoadedStep:
    """A step of two micro batches."""
    batches = tuple(batch(task, 4 * step + 2 * number, **settings) for number in range(2))
    return LoadedStep(step=step, micro_batches=batches, num_failed=failed, waited=0.5)


def routing(chosen: list[list[int]], num_experts: int = 2, weight: float = 0.75) -> Routing:
    """``chosen[sample][block]`` has this gate weight, the other experts share the rest."""
    probability = torch.full((len(chosen), len(chosen[0]), num_experts), (1 - weight) / max(1, num_experts - 1))
    return Routing(probability.scatter(2, torch.tensor(chosen)[..., None], weight))


def report(loss: float, task: str = "inpaint", **changes: Any) -> StepReport:
    """Of a step with this loss; ``changes`` are other fields of the report."""
    fields: dict[str, Any] = {
        "loss": loss,
        "veteran": 0.1,
        "usage": 0.5,
        "gradient_norm": 2.0,
        "skipped": False,
        "routing": routing([[0, 1, 1], [1, 1, 1]]),
        "per_task": {task: (loss * 4, 4)},
        "per_time_bin": {"0.0-0.2": (loss, 1), "0.8-1.0": (loss * 3, 3)},
    }
    return StepReport(**(fields | changes))


def validation(stage: int, step: int, losses: list[list[float]] | None = None, **changes: Any) -> Validation:
    """Of two rows of inpaint and one of grounding, at two times; the stage trains inpaint."""
    fields: dict[str, Any] = {
        "stage": stage,
        "step": step,
        "protocol": "p1",
        "own_tasks": ("inpaint",),
        "tasks": ("inpaint", "inpaint", "grounding"),
        "times": (0.25, 0.75),
        "losses": np.array(losses or [[1.0, 2.0], [3.0, 4.0], [0.5, 0.7]]),
        "choices": np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]),
        "seconds": 3.0,
        "samples": (),
    }
    return Validation(**(fields | changes))


def held_out_sample(number: int, task: str = "inpaint", **measures: float) -> HeldOutSample:
    """A sample of one colour in each picture."""
    pictures = {
        name: np.full((8, 8, 3), shade + number, np.uint8)
        for name, shade in (("source", 10), ("target", 100), ("generated", 200))
    }
    return HeldOutSample(
        sample_id=f"made/{number}#0", task=task, prompt=f"sample {number}", pictures=pictures, measures=measures
    )


class Clock:
    """A second passes at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now
