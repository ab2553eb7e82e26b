"""``python -m benchmarks.router_inputs``: whether what routers see tells the tasks apart, and by how much.

Held-out sources of all five tasks, of the synthetic dataset, go through the bundled base and adapter. For each block:
how often a linear classifier of the router's inputs, fitted to half of them, names the task of the others, and how
large the part that all inputs have in common is, in squared norms, as a multiple of what differs between tasks.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from rich.console import Console
from rich.table import Table
from torch import Tensor

from cologen.evaluation.benchmarks.world_tasks.asking import ASK
from cologen.model.opening import PipelineSpec, open_pipeline
from cologen.model.router import NoisyRouter
from cologen.model.tasks import TASK_NAMES
from cologen.model.world_base import packaged_adapter

SEED, SIDE = 20, 32
_RIDGE = 1e-2
"""Weight of the classifier's squared norm, for inputs of unit variance and per sample."""

Inputs = Float[np.ndarray, "samples dim"]
Tasks = Int[np.ndarray, "samples"]


def main() -> None:
    """Print a line for each block."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", default=400, type=int, help="half of them fit the classifier, half test it")
    num_sources: int = parser.parse_args().sources
    torch.set_num_threads(1)
    pipeline = open_pipeline(PipelineSpec(adapter=packaged_adapter("world-tiny")))
    pipeline.set_progress_bar_config(disable=True)
    tasks = np.arange(num_sources) % len(TASK_NAMES)
    with _recorded(pipeline.transformer) as seen:
        for index, task in enumerate(tasks):
            _show(pipeline, TASK_NAMES[task], index)
    table = Table(title=f"{num_sources} held-out sources, half to fit and half to test")
    for column in ("router", "tasks named", "common / between tasks"):
        table.add_column(column, justify="right" if table.columns else "left")
    for name, hidden in seen.items():
        inputs = torch.cat(hidden).double().numpy()
        table.add_row(name, f"{accuracy(inputs, tasks):.0%}", f"{common_share(inputs, tasks):.1f}")
    Console(width=100).print(table)


def accuracy(inputs: Inputs, tasks: Tasks) -> float:
    """The share of the second half's tasks that a linear classifier of the first half's inputs names."""
    half = len(inputs) // 2
    fitted = inputs[:half]
    mean, spread = fitted.mean(axis=0), fitted.std(axis=0) + 1e-12
    scaled = np.column_stack([(inputs - mean) / spread, np.ones(len(inputs))])
    asked = np.eye(tasks.max() + 1)[tasks[:half]]
    gram = scaled[:half].T @ scaled[:half] + _RIDGE * half * np.eye(scaled.shape[1])
    weights = np.linalg.solve(gram, scaled[:half].T @ asked)
    return float((np.argmax(scaled[half:] @ weights, axis=1) == tasks[half:]).mean())


def common_share(inputs: Inputs, tasks: Tasks) -> float:
    """The squared norm of the mean input, over the mean squared distance of the tasks' means from it."""
    means = np.stack([inputs[tasks == task].mean(axis=0) for task in np.unique(tasks)])
    common = means.mean(axis=0)
    return float((common**2).sum() / ((means - common) ** 2).sum(axis=1).mean())


def _show(pipeline: Any, task: str, index: int) -> None:
    """Let the pipeline look at one source: routers choose once for a picture, however many steps it takes."""
    question = ASK[task](SEED, index, "simple", SIDE).question
    pipeline(
        question.prompt,
        image=list(question.pictures),
        mask=question.mask,
        task=question.task,
        width=question.width,
        height=question.height,
        num_inference_steps=1,
        generator=torch.Generator().manual_seed(index),
        output_type="latent",
    )


@contextmanager
def _recorded(transformer: torch.nn.Module) -> Generator[dict[str, list[Tensor]]]:
    """What each router is given, by its name."""
    routers = {name: part for name, part in transformer.named_modules() if isinstance(part, NoisyRouter)}
    seen: dict[str, list[Tensor]] = {name: [] for name in routers}

    def record(name: str) -> Callable[..., None]:
        return lambda _module, given: seen[name].append(given[0].detach().flatten(0, -2))

    hooks = [part.register_forward_pre_hook(record(name)) for name, part in routers.items()]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


if __name__ == "__main__":
    main()
