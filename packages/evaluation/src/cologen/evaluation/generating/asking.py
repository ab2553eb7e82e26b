"""Questions to pictures by the pipeline: the seed comes from the item and the output's number alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import torch

from cologen.datagen.randomness import derived_seed
from cologen.evaluation.records import Picture, Question
from cologen.model.opening import PipelineSpec, open_pipeline


class NotFiniteError(ValueError):
    """An output has NaN or infinity in it, which as a picture would be black: there is no output."""

    reason = "not_finite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question, and the seed of the noise that the output begins with."""

    question: Question
    seed: int


class Generator(Protocol):
    """Any model that is evaluated: CoLoGen's pipeline, or one of yours."""

    def __call__(self, batch: Sequence[Asked]) -> list[Picture | ValueError]:
        """An output for each question, or why the question itself cannot be answered."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How outputs are sampled; None leaves a setting to the benchmark's protocol, and then to the base's preset."""

    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    true_cfg_scale: float | None = None

    def over(self, protocol: Mapping[str, float]) -> dict[str, Any]:
        """The pipeline's arguments: these settings where given, else the protocol's."""
        given = {name: getattr(self, name) for name in self.__slots__}
        settings = dict(protocol) | {name: value for name, value in given.items() if value is not None}
        if "num_inference_steps" in settings:
            settings["num_inference_steps"] = int(settings["num_inference_steps"])
        return settings


def output_seed(seed: int, item_id: str, number: int) -> int:
    """The seed of an item's output; neither batch, worker nor resuming has a part in it."""
    return derived_seed(seed, "output", item_id, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineGenerator:
    """CoLoGen's pipeline as a generator.

    On a GPU questions of one form are one call. On the CPU each is a call of its own, since the last bits of a sum
    depend there on what else is in the batch.
    """

    pipeline: Any
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __call__(self, batch: Sequence[Asked]) -> list[Picture | ValueError]:
        """See :class:`Generator`."""
        made: list[Picture | ValueError | None] = [None] * len(batch)
        for places in self._calls(batch):
            try:
                outputs: Sequence[Picture | ValueError] = self._generate([batch[place] for place in places])
            except ValueError as error:
                # One question of several may be at fault: each is asked alone.
                outputs = [error] if len(places) == 1 else [self([batch[place]])[0] for place in places]
            for place, output in zip(places, outputs, strict=True):
                made[place] = output
        return [output for output in made if output is not None]

    def _calls(self, batch: Sequence[Asked]) -> list[list[int]]:
        """Places of the questions that are answered by one call."""
        device: torch.device = self.pipeline._execution_device
        if device.type == "cpu":
            return [[place] for place in range(len(batch))]
        calls: dict[object, list[int]] = {}
        for place, asked in enumerate(batch):
            calls.setdefault(_form(asked.question), []).append(place)
        return list(calls.values())

    def _generate(self, batch: Sequence[Asked]) -> list[Picture]:
        """Questions of one form; earlier prompts come first, each applied to the result of the one before."""
        for turn in range(len(batch[0].question.earlier)):
            results = self._call([_turn(asked, turn) for asked in batch])
            batch = [
                replace(asked, question=replace(asked.question, pictures=(result,)))
                for asked, result in zip(batch, results, strict=True)
            ]
        return self._call(batch)

    def _call(self, batch: Sequence[Asked]) -> list[Picture]:
        questions = [asked.question for asked in batch]
        first = questions[0]
        cfg = self.settings.get("true_cfg_scale", self.pipeline.usual_cfg)
        pictures = self.pipeline(
            [question.prompt for question in questions],
            image=[list(question.pictures) for question in questions] if first.pictures else None,
            mask=None if first.mask is None else [question.mask for question in questions],
            task=first.task,
            width=first.width,
            height=first.height,
            negative_prompt=[question.negative_prompt or "" for question in questions] if cfg > 1 else None,
            generator=[torch.Generator().manual_seed(asked.seed) for asked in batch],
            output_type="np",
            return_dict=False,
            **self.settings,
        )[0]
        if not np.isfinite(pictures).all():
            raise NotFiniteError("the model's output has NaN or infinity: try another --dtype")
        return [np.rint(255 * picture.clip(0, 1)).astype(np.uint8) for picture in pictures]


def open_generator(spec: PipelineSpec, settings: Mapping[str, Any]) -> PipelineGenerator:
    """The pipeline of a spec, silent: progress is the caller's."""
    pipeline = open_pipeline(spec)
    pipeline.set_progress_bar_config(disable=True)
    return PipelineGenerator(pipeline=pipeline, settings=settings)


def _form(question: Question) -> object:
    """What questions of one call have in common."""
    sizes = tuple(picture.shape for picture in question.pictures)
    turns = len(question.earlier)
    return question.task, sizes, question.mask is None, question.width, question.height, turns


def _turn(asked: Asked, turn: int) -> Asked:
    """An earlier prompt as a question, with a seed of its own."""
    question = replace(asked.question, prompt=asked.question.earlier[turn])
    return Asked(question=question, seed=derived_seed(asked.seed, "turn", turn))
