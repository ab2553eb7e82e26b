"""Runs of a few steps on the tiny manifests of ``conftest``, for tests of the loop and of what it saves."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from cologen.model.bundle import Bundle, build
from cologen.model.presets import preset
from cologen.trainer.data.batch import LoadedStep
from cologen.trainer.data.held_out import open_held_out
from cologen.trainer.data.loading import open_stage
from cologen.trainer.distributed import Processes, Strategy
from cologen.trainer.loop.learner import StepReport
from cologen.trainer.loop.run import Run
from cologen.trainer.loop.stage import train_stage
from cologen.trainer.loop.stopping import Stopping
from cologen.trainer.loop.validation import Validation
from cologen.trainer.recipes.catalog import load_recipe
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.stages import Stage
from cologen.trainer.run_folder import where_to_go_on

ALONE = Processes(0, 1, torch.device("cpu"))
FEW = (
    "micro_batch=4",
    "checkpoint_every=2",
    "num_samples=2",
    "held_out=none",
    "optimizer.kind=adamw",
    *(
        f"stages.{number}.{field}={value}"
        for number in range(5)
        for field, value in {
            "iterations": 6,
            "global_batch": 4,
            "warmup_steps": 2,
            "learning_rate": 5e-3,
            "decay_share": 0,
        }.items()
    ),
)


def recipe(*overrides: str) -> Recipe:
    """The recipe ``world`` in six steps of four samples a stage, with AdamW: Muon makes rounding errors larger."""
    return load_recipe("world", [*_ordered(FEW), *overrides])


def arguments(data: Path, out: Path, *overrides: str) -> list[str]:
    """The command line of ``train`` for the same recipe."""
    settings = [part for each in (*_ordered(FEW), *overrides) for part in ("--set", each)]
    return ["--data", str(data), "--out", str(out), "--workers", "0", "--device", "cpu", *settings]


def _ordered(overrides: Sequence[str]) -> list[str]:
    # Warm-ups shorten before stages do, and micro batches before batches, so that no value in between is refused.
    return sorted(overrides, key=lambda each: ("iterations" in each, "global_batch" in each))


class Watching:
    """Remembers what it was told; asks to stop after ``stop_after`` steps."""

    def __init__(self, stopping: Stopping, stop_after: int | None = None) -> None:
        self.reports: list[StepReport] = []
        self.stages: list[tuple[int, int]] = []
        self.validations: list[Validation] = []
        self._stopping, self._stop_after = stopping, stop_after

    def stage_begins(self, number: int, stage: Stage, first_step: int) -> None:
        self.stages.append((number, first_step))

    def step_done(self, number: int, loaded: LoadedStep, report: StepReport, learning_rate: float) -> None:
        self.reports.append(report)
        self._stopping.asked = len(self.reports) == self._stop_after

    def validated(self, found: Validation) -> None:
        self.validations.append(found)

    def stage_ends(self, number: int, bundle: Bundle) -> None:
        self.stages.append((number, -1))


def train(
    folder: Path,
    data: Path,
    of: Recipe,
    stages: Sequence[int] = (0,),
    *,
    processes: Processes = ALONE,
    strategy: Strategy = "ddp",
    stop_after: int | None = None,
    roots: Mapping[str, Path] | None = None,
    base: Callable[[], Bundle] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Watching:
    """Train some stages with a fresh model, going on from whatever checkpoints are there.

    Args:
        base: makes the model; None: of the recipe's preset, from its seed.
    """
    stopping = Stopping()
    watching = Watching(stopping, stop_after)
    bundle = build(preset(of.preset), seed=of.seed) if base is None else base()
    bundle.transformer.rebuild(
        0,
        rank=of.rank,
        expert_scale=of.expert_scale,
        routing=of.routing,
        source_timestep=of.source_timestep,
        dtype=torch.float32,
    )
    run = Run(folder=folder, recipe=of, bundle=bundle, processes=processes, strategy=strategy, watcher=watching)
    for number in stages:
        samples = open_stage(of, number, data, roots=roots)
        held_out = open_held_out(of, number, data, samples, roots=roots)
        if not train_stage(run, number, samples, where_to_go_on(folder, number), stopping, held_out, clock=clock):
            break
    return watching


def adapter_bytes(folder: Path) -> dict[str, bytes]:
    """The files of a run's adapter."""
    return {path.name: path.read_bytes() for path in sorted((folder / "adapter").glob("*.safetensors"))}
