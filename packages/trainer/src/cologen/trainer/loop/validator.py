"""Validation: the loss of held-out rows at fixed times and with fixed noise, and samples of some of them, measured.

It is the moving average that is validated, since a finished stage is that. A row's noise comes from (seed, sample id,
number of the time), and routers have none. Each row is a forward pass by itself, all of its times together, so that its
loss depends neither on the micro batch nor on how many processes share the rows. No random state is read or changed:
training goes on with the same bits as without validation.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from cologen.datagen.randomness import generator
from cologen.model.text import Prompts
from cologen.trainer.data.batch import Batch, Mask, named_sources, together
from cologen.trainer.data.held_out import HeldOutRows
from cologen.trainer.distributed import loaded_into, resharded
from cologen.trainer.loop.encoding import Encoder, Latents
from cologen.trainer.loop.generating import generate, in_bytes
from cologen.trainer.loop.learner import Learner
from cologen.trainer.loop.loss import Losses, losses_at
from cologen.trainer.loop.measures import Measure, measures_of
from cologen.trainer.loop.run import Run
from cologen.trainer.loop.validation import Bytes, HeldOutSample, Validation

_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A row as the model reads it, on the CPU."""

    number: int
    mask: Mask
    latents: Latents
    prompts: Prompts


class Validator:
    """Validates one stage. Every process has one, and all have to ask together: rows are split among them."""

    def __init__(self, run: Run, number: int, learner: Learner, encoder: Encoder, rows: HeldOutRows) -> None:
        """Load and encode this process's rows."""
        self._run, self._number, self._learner, self._encoder, self._rows = run, number, learner, encoder, rows
        self._measures: dict[str, Measure] = measures_of(rows.settings)
        size, count = run.processes.size, len(rows.rows)
        # As many in each process, since a sharded model answers only when all of them ask: some may ask twice.
        mine = [(run.processes.rank + turn * size) % count for turn in range(ceil(count / size))]
        self._encoded = self._encode(mine)
        self._shown = _spread([row.task for row in rows.rows], rows.settings.num_samples)
        self._samples = [each.to(_CPU) for each in rows.batches(self._shown, run.processes.device)]

    def is_due(self, step: int) -> bool:
        """Whether to validate after so many steps; the end of the stage is not asked for here."""
        return step % self._rows.settings.every == 0

    def validate(self, step: int, *, last: bool = False) -> Validation:
        """Validate after ``step`` steps (collective); ``last``: at the end of the stage, when a grid is due."""
        begun, stage, model = time.perf_counter(), self._run.recipe.stages[self._number], self._run.bundle.transformer
        every = self._rows.settings.grid_every
        bias, training = model.newcomer_bias, model.training
        model.newcomer_bias = stage.newcomer_bias_at(step) if stage.new_expert else 0.0
        model.eval()
        try:
            with averaged(self._learner):
                losses, choices = self._losses()
                samples = self._drawn() if last or (every and step and step % every == 0) else ()
        finally:
            model.train(training)
            model.newcomer_bias = bias
            resharded(model)
        return Validation(
            stage=self._number,
            step=step,
            protocol=self._rows.protocol,
            own_tasks=self._rows.own_tasks,
            tasks=tuple(row.task for row in self._rows.rows),
            times=self._rows.settings.times,
            losses=losses,
            choices=choices,
            seconds=time.perf_counter() - begun,
            samples=samples,
        )

    def _encode(self, numbers: Sequence[int]) -> list[_Encoded]:
        """Each row by itself, but for the prompts, which fill an encoder's batches together."""
        device, latents, masks, prompts = self._run.processes.device, list[Latents](), list[Mask](), list[str]()
        for batch in self._rows.batches(numbers, device):
            latents.append(_moved(self._encoder.latents(batch.to(device)), _CPU))
            masks.append(batch.mask.to(_CPU))
            prompts += batch.prompts
        words = self._encoder.prompts(prompts)
        pairs = zip(words.embeds.cpu().split(1), words.pooled.cpu().split(1), strict=True)
        return [
            _Encoded(number, mask, each, Prompts(*pair))
            for number, mask, each, pair in zip(numbers, masks, latents, pairs, strict=True)
        ]

    @torch.no_grad()
    def _losses(self) -> tuple[Float[np.ndarray, "rows times"], Float[np.ndarray, "rows experts"]]:
        """The loss of each row at each time, and the share of blocks that chose each expert for it."""
        model: Any = self._run.bundle.transformer
        num_rows, num_times = len(self._rows.rows), len(self._rows.settings.times)
        found = torch.zeros(num_rows, num_times, dtype=torch.float64)
        choices = torch.zeros(num_rows, model.config.num_experts, dtype=torch.float64)
        for turn, each in enumerate(self._encoded):
            row = self._row_losses(each)
            if turn * self._run.processes.size + self._run.processes.rank < num_rows:  # not asked a second time
                found[each.number] = row.per_sample.double().cpu()
                if row.routing is not None:
                    choices[each.number] = row.routing.usage().double().mean(dim=0).cpu()
        return self._run.processes.sums(found).numpy(), self._run.processes.sums(choices).numpy()

    def _row_losses(self, row: _Encoded) -> Losses:
        device, times = self._run.processes.device, self._rows.settings.times
        count, shape = len(times), tuple(row.latents.target.shape[1:])
        key = self._run.recipe.seed, "held_out", self._rows.rows[row.number].sample_id
        noise = [generator(*key, number).standard_normal(shape, dtype=np.float32) for number in range(count)]
        return losses_at(
            self._run.bundle.transformer,
            self._run.bundle,
            _repeated(row.mask, count, device),
            _moved(row.latents, device, count),
            Prompts(*(_repeated(each, count, device) for each in (row.prompts.embeds, row.prompts.pooled))),
            torch.tensor(times, dtype=torch.float32, device=device),
            torch.from_numpy(np.stack(noise)).to(device),
            None,
        )

    def _drawn(self) -> tuple[HeldOutSample, ...]:
        """The samples of the grid, in batches of one size and one number of sources."""
        found: list[HeldOutSample] = []
        numbered = zip(self._shown, self._samples, strict=True)
        for _, group in groupby(numbered, key=lambda each: (each[1].target.shape, len(each[1].sources))):
            numbers, batches = zip(*group, strict=True)
            batch = together(batches).to(self._run.processes.device)
            made = generate(
                self._run.bundle, batch, num_steps=self._run.bundle.preset.num_steps, seed=self._run.recipe.seed
            )
            found += self._described(numbers, batch, in_bytes(made))
        return tuple(found)

    def _described(self, numbers: Sequence[int], batch: Batch, made: UInt8[Tensor, "..."]) -> list[HeldOutSample]:
        columns = {**named_sources(batch), "target": batch.target, "generated": made}
        shown = {name: each.permute(0, 2, 3, 1).cpu().numpy() for name, each in columns.items()}
        masks = batch.mask[:, 0].cpu().numpy()
        return [
            HeldOutSample(
                sample_id=self._rows.rows[number].sample_id,
                task=batch.tasks[place],
                prompt=batch.prompts[place],
                pictures=(pictures := {name: each[place] for name, each in shown.items()}),
                measures=self._measured(pictures, masks[place]),
            )
            for place, number in enumerate(numbers)
        ]

    def _measured(self, pictures: Mapping[str, Bytes], mask: UInt8[np.ndarray, "height width"]) -> dict[str, float]:
        if not self._run.processes.first:
            return {}
        source, target, output = (pictures.get(name) for name in ("source", "target", "generated"))
        assert target is not None and output is not None
        values = [measure(source, target, output, mask) for measure in self._measures.values()]
        return {name: float(value) for each in values for name, value in each.items()}


@contextmanager
def averaged(learner: Learner) -> Generator[None, None, None]:
    """The moving average in place of the weights that train, for the length of the block."""
    if not learner.average:
        yield
        return
    before = {name: weight.detach().clone() for name, weight in learner.trained.items()}
    loaded_into(learner.trained, learner.average)
    try:
        yield
    finally:
        loaded_into(learner.trained, before)


def _repeated(one: Tensor, count: int, device: torch.device) -> Tensor:
    return one.to(device).expand(count, *one.shape[1:])


def _moved(latents: Latents, device: torch.device, count: int = 1) -> Latents:
    """The latents of one row on ``device``, ``count`` times."""
    target, source, masked = (
        None if each is None else _repeated(each, count, device)
        for each in (latents.target, latents.source, latents.masked)
    )
    assert target is not None
    more = tuple(_repeated(each, count, device) for each in latents.more_sources)
    return Latents(target=target, source=source, masked=masked, more_sources=more)


def _spread(tasks: Sequence[str], count: int) -> list[int]:
    """The numbers of ``count`` rows at most, as many of each task as can be, in the order of the rows."""
    turns = {task: [number for number, each in enumerate(tasks) if each == task] for task in dict.fromkeys(tasks)}
    longest = max(map(len, turns.values()))
    in_turn = [numbers[turn] for turn in range(longest) for numbers in turns.values() if turn < len(numbers)]
    return sorted(in_turn[:count])
