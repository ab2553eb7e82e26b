"""Sample grids: a PNG of source, target and the model's output, with the prompt under each row.

The samples are those of the stage's first step, stored beside the picture, so that an interrupted run draws the same
ones. They are training samples: the picture shows whether a task was learned, not how well.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from cologen.datagen.randomness import generator
from cologen.model.bundle import Bundle
from cologen.model.conditions import Size
from cologen.model.files import write_atomically
from cologen.model.layout import Layout
from cologen.model.sampling import Denoiser, Words, denoise
from cologen.model.steps import EulerStep
from cologen.model.tokens import pack, text_ids
from cologen.reports.contact_sheet import Row, contact_sheet, png
from cologen.trainer.data.batch import Batch, LoadedStep, holed, signed
from cologen.trainer.distributed import Processes
from cologen.trainer.loop.learner import StepReport
from cologen.trainer.recipes.curriculum import Recipe, Stage

SAMPLES = "samples"

Made = Float[Tensor, "batch 3 height width"]
"""Pictures in [-1, 1]."""


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


@torch.no_grad()
def generate(bundle: Bundle, batch: Batch, *, num_steps: int, seed: int) -> Made:
    """The model's output for each sample's source and prompt, by Euler's steps from keyed noise."""
    model, training = bundle.transformer, bundle.transformer.training
    layout, prompts = Layout.of(model, bundle.codec), bundle.text.encode(batch.prompts)
    size = Size(height=batch.target.shape[2], width=batch.target.shape[3])
    noise = _noise(seed, batch, layout.latent_shape(len(batch), size)[1:])
    tokens = pack(noise.to(batch.target.device), layout.patch)
    like = tokens.to(prompts.embeds.dtype)
    ids = text_ids(prompts.embeds.shape[1]).to(like.device)
    denoiser = _denoiser(bundle, layout, batch, size, like)
    model.eval()
    try:
        steps = EulerStep.all(num_steps, tokens.shape[1], shifted=bundle.preset.shifted)
        tokens = denoise(denoiser, steps, tokens, Words(embeds=prompts.embeds, pooled=prompts.pooled, ids=ids))
    finally:
        model.train(training)
    return bundle.codec.decode(layout.latents(tokens, size)).float().clamp(-1, 1)


def _denoiser(bundle: Bundle, layout: Layout, batch: Batch, size: Size, like: Tensor) -> Denoiser:
    """The model with what it reads at every step: the source, and for a Fill base the target with its hole in grey."""
    source, scale = batch.source, bundle.preset.guidance
    return Denoiser(
        transformer=bundle.transformer,
        ids=layout.ids(size).to(like.device),
        guidance=None if scale is None else torch.full_like(like[:, 0, 0], scale),
        cfg_scale=1.0,
        beside=layout.beside(bundle.codec, holed(batch), batch.mask.float(), like) if layout.fill else None,
        source=None if source is None else layout.source(bundle.codec, signed(source), 1, size, len(batch), like),
        attention_kwargs={},
    )


def _noise(seed: int, batch: Batch, shape: tuple[int, ...]) -> Float[Tensor, "batch channels rows columns"]:
    draws = [
        generator(seed, "grid", task, place).standard_normal(shape, dtype=np.float32)
        for task, place in zip(batch.tasks, batch.places, strict=True)
    ]
    return torch.from_numpy(np.stack(draws))


def _rows(batch: Batch, made: Made) -> list[Row]:
    columns = {"source": batch.source, "target": batch.target, "generated": ((made + 1) * 127.5).round().byte()}
    shown = {name: each.permute(0, 2, 3, 1).cpu().numpy() for name, each in columns.items() if each is not None}
    return [
        Row({name: pictures[number] for name, pictures in shown.items()}, (prompt or "(no prompt)",))
        for number, prompt in enumerate(batch.prompts)
    ]


def _first(micro_batches: Sequence[Batch], num_samples: int) -> Batch:
    """The first samples of a step, whose micro batches are all of one size."""
    sources = [batch.source for batch in micro_batches if batch.source is not None]
    return Batch(
        source=torch.cat(sources)[:num_samples].cpu() if sources else None,
        target=torch.cat([batch.target for batch in micro_batches])[:num_samples].cpu(),
        mask=torch.cat([batch.mask for batch in micro_batches])[:num_samples].cpu(),
        prompts=sum((batch.prompts for batch in micro_batches), ())[:num_samples],
        tasks=sum((batch.tasks for batch in micro_batches), ())[:num_samples],
        places=sum((batch.places for batch in micro_batches), ())[:num_samples],
    )


def _write(path: Path, batch: Batch) -> None:
    tensors = {"target": batch.target, "mask": batch.mask}
    if batch.source is not None:
        tensors["source"] = batch.source
    words = {"prompts": batch.prompts, "tasks": batch.tasks, "places": batch.places}
    metadata = {name: json.dumps(values) for name, values in words.items()}
    write_atomically(path, save({name: each.contiguous() for name, each in tensors.items()}, metadata))


def _read(path: Path) -> Batch:
    with safe_open(path, framework="pt") as file:
        words: dict[str, Any] = {name: tuple(json.loads(values)) for name, values in file.metadata().items()}
        pictures: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no dictionary
    return Batch(source=pictures.pop("source", None), **pictures, **words)
