"""Grids of held-out samples: source, target and the model's output, with prompt and measures under each.

RUN/samples/0-inpaint-held-out-00000120.png     and .json: the measures of each sample, by its id
"""

from __future__ import annotations

import json
from pathlib import Path

from cologen.model.bundle import Bundle
from cologen.model.files import write_atomically
from cologen.reports.contact_sheet import Row, contact_sheet, png
from cologen.trainer.data.batch import LoadedStep
from cologen.trainer.distributed import Processes
from cologen.trainer.loop.learner import StepReport
from cologen.trainer.loop.validation import HeldOutSample, Validation
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.stages import Stage
from cologen.trainer.watchers.grids import SAMPLES
from cologen.trainer.watchers.held_out_metrics import finite


class HeldOutGrids:
    """Writes the grid of each validation that drew samples."""

    def __init__(self, folder: Path, recipe: Recipe, processes: Processes) -> None:
        self._folder, self._recipe, self._processes = folder, recipe, processes

    def stage_begins(self, number: int, stage: Stage, first_step: int) -> None:
        """Nothing to draw yet."""

    def step_done(self, number: int, loaded: LoadedStep, report: StepReport, learning_rate: float) -> None:
        """Nothing to draw yet."""

    def validated(self, found: Validation) -> None:
        """Write the picture, and the measures beside it."""
        if not found.samples or not self._processes.first:
            return
        path = held_out_grid_path(self._folder, self._recipe, found.stage, found.step)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, png(contact_sheet([_row(sample) for sample in found.samples])))
        lines = [
            {
                "sample_id": sample.sample_id,
                "task": sample.task,
                "prompt": sample.prompt,
                "measures": {name: finite(value) for name, value in sample.measures.items()},
            }
            for sample in found.samples
        ]
        write_atomically(path.with_suffix(".json"), (json.dumps(lines, indent=1, allow_nan=False) + "\n").encode())

    def stage_ends(self, number: int, bundle: Bundle) -> None:
        """The last validation has been drawn."""


def held_out_grid_path(run: Path, recipe: Recipe, number: int, step: int) -> Path:
    """The path of the grid of a stage after so many steps."""
    return run / SAMPLES / f"{number}-{recipe.stages[number].task}-held-out-{step:08d}.png"


def _row(sample: HeldOutSample) -> Row:
    measures = "   ".join(f"{name} {value:.3g}" for name, value in sample.measures.items())
    words = f"{sample.task}: {sample.prompt or '(no prompt)'}"
    return Row(sample.pictures, (words, measures) if measures else (words,))
