"""Sample grids: a PNG of source, target and the model's output, with the prompt under each row.

The samples are those of the stage's first step, stored beside the picture, so that an interrupted run draws the same
ones. They are training samples: the picture shows whether a task was learned, not how well.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save

from cologen.model.bundle import Bundle
from cologen.model.files import write_atomically
from cologen.reports.contact_sheet import Row, contact_sheet, png
from cologen.trainer.data.batch import Batch, LoadedStep, named_sources, together
from cologen.trainer.distributed import Processes
from cologen.trainer.loop.generating import Made, generate, in_bytes
from cologen.trainer.loop.learner import StepReport
from cologen.trainer.loop.validation import Validation
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.stages import Stage

SAMPLES = "samples"


class Grids:
    """Draws ``RUN/samples/0-inpaint.png`` … at the end of each stage.

    Every process draws, since a sharded model needs all of them in each call; the first one writes.
    """

    def __init__(self, folder: Path, recipe: Recipe, processes: Processes) -> None:
        self._folder, self._recipe, self._processes = folder / SAMPLES, recipe, processes
        self._batch: Batch | None = None

    def stage_begins(self, number: int, stage: Stage, first_step: int) -> None:
        """Load the samples of a stage that continues."""
        kept = self._folder / f"{number}-{stage.task}.safetensors"
        self._batch = _read(kept) if first_step and kept.exists() else None

    def step_done(self, number: int, loaded: LoadedStep, report: StepReport, learning_rate: float) -> None:
        """Keep the samples of the first step."""
        if self._batch is None:
            self._batch = _first(loaded.micro_batches, self._recipe.num_samples)
            if self._processes.first:
                self._folder.mkdir(parents=True, exist_ok=True)
                _write(self._folder / f"{number}-{self._recipe.stages[number].task}.safetensors", self._batch)

    def validated(self, found: Validation) -> None:
        """Other samples than these: ``held_out_grids`` draws them."""

    def stage_ends(self, number: int, bundle: Bundle) -> None:
        """Draw."""
        if self._batch is None:
            raise ValueError(f"stage {number} ended without a step: there is nothing to draw")
        batch = self._batch.to(self._processes.device)
        made = generate(bundle, batch, num_steps=bundle.preset.num_steps, seed=self._recipe.seed)
        if self._processes.first:
            write_atomically(
                grid_path(self._folder.parent, self._recipe, number), png(contact_sheet(_rows(batch, made)))
            )


def grid_path(run: Path, recipe: Recipe, number: int) -> Path:
    """The path of a stage's grid."""
    return run / SAMPLES / f"{number}-{recipe.stages[number].task}.png"


def _rows(batch: Batch, made: Made) -> list[Row]:
    columns = {**named_sources(batch), "target": batch.target, "generated": in_bytes(made)}
    shown = {name: each.permute(0, 2, 3, 1).cpu().numpy() for name, each in columns.items()}
    return [
        Row({name: pictures[number] for name, pictures in shown.items()}, (prompt or "(no prompt)",))
        for number, prompt in enumerate(batch.prompts)
    ]


def _first(micro_batches: Sequence[Batch], num_samples: int) -> Batch:
    """The first samples of a step, whose micro batches are all of one size."""
    return together([batch.to(torch.device("cpu")) for batch in micro_batches])[:num_samples]


def _write(path: Path, batch: Batch) -> None:
    tensors = {"target": batch.target, "mask": batch.mask, **named_sources(batch)}
    words = {"prompts": batch.prompts, "tasks": batch.tasks, "places": batch.places}
    metadata = {name: json.dumps(values) for name, values in words.items()}
    write_atomically(path, save({name: each.contiguous() for name, each in tensors.items()}, metadata))


def _read(path: Path) -> Batch:
    with safe_open(path, framework="pt") as file:
        words: dict[str, Any] = {name: tuple(json.loads(values)) for name, values in file.metadata().items()}
        pictures: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no dictionary
    target, mask = pictures.pop("target"), pictures.pop("mask")
    source, *more = [pictures[name] for name in sorted(pictures, key=lambda name: (len(name), name))] or [None]
    return Batch(source=source, target=target, mask=mask, more_sources=tuple(more), **words)
