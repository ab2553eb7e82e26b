"""What the demo page does, without the page: a request to a picture, the routers' choices and the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from cologen.model.adapter_index import read_index
from cologen.model.presets import preset
from cologen.model.tasks import TASK_NAMES, TASKS, TaskName
from cologen.model.world_base import packaged_stage
from cologen.model.world_text import tokens_of
from cologen.reports.heatmaps import heat_map
from pipelines.demo_turns import Stopped, Turns
from pipelines.demo_words import LEARNED
from pipelines.pipeline_options import PipelineOptions

if TYPE_CHECKING:
    from cologen.model.pipeline import CoLoGenPipeline

OnStep = Callable[[int, int], object]
"""Called after each denoising step, with how many are done and how many there are."""

_LONGEST_SIDE = 2048
_LONGEST_OF_SMALL = 8
"""Pixels of a result, and of small bases usual sides: more is a slip of the finger, which would take hours or all
memory."""
_MOST_STEPS = 200
_LAST_SEED = 2**64 - 1
"""torch has no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for. None is the base's, the picture's or the task's own."""

    task: TaskName
    picture: Image.Image | None
    mask: Image.Image | None = None
    """White where the hole is, in the picture's size; of inpainting alone."""
    prompt: str = ""
    seed: int = 0
    steps: int | None = None
    cfg: float = 1.0
    """Scale of classifier-free guidance against the empty prompt; 1: none."""
    width: int | None = None
    height: int | None = None
    stage: int | None = None
    strength: float = 1.0
    """Scales what experts add: 1 is as trained, 0 the base alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A result, with how it was made."""

    picture: Image.Image
    routing: str
    """A heat map (SVG) of which expert each block took; empty where there are no experts."""
    summary: str
    """One line: steps, time, size, seed and stage."""


@dataclass(frozen=True, slots=True)
class Model:
    """An opened pipeline, and what the page offers of it."""

    pipeline: CoLoGenPipeline
    stages: tuple[int, ...]
    """Those of the adapter that can be chosen; empty without an adapter."""
    stage: int | None
    """The one that was asked for on the command line."""
    is_bundled: bool
    """Whether the adapter is the bundled one, whose stages are best at their own tasks."""
    cfg: float
    """The guidance that fits the base."""
    most_tokens: int | None
    """Of a prompt, where the base counts words; None: it has a tokenizer of its own, which takes long prompts."""
    words: frozenset[str] | None
    """Those that the bundled base has learned; None: it is another base."""
    longest_side: int
    """Pixels of a result."""
    turns: Turns

    @classmethod
    def of(cls, options: PipelineOptions) -> Model:
        """Open what the options say.

        Raises:
            FileNotFoundError, ValueError: as ``PipelineOptions.opened`` does.
        """
        adapter = options.adapter_for_pictures
        pipeline = options.opened(adapter, options.stage)
        small = preset(options.preset) if options.base is None else None
        pipeline.set_progress_bar_config(disable=True)  # the page has its own
        return cls(
            pipeline=pipeline,
            stages=() if adapter is None else _stages_of(adapter),
            stage=options.stage,
            is_bundled=adapter is not None and options.adapter is None,
            cfg=options.usual_cfg,
            most_tokens=None if small is None else small.text_tokens,
            words=LEARNED if options.base is None and options.weights is None else None,
            longest_side=_LONGEST_SIDE if small is None else _LONGEST_OF_SMALL * small.side,
            turns=Turns(),
        )

    def stage_for(self, task: TaskName) -> int | None:
        """The stage of the adapter that answers where none is chosen on the page; None: there is no adapter."""
        if not self.stages or self.stage is not None:
            return self.stage
        return packaged_stage(task) if self.is_bundled else self.stages[-1]


def _stages_of(adapter: Path) -> tuple[int, ...]:
    return tuple(sorted(read_index(adapter)["routers"]))


def answer(model: Model, request: Request, on_step: OnStep) -> Answer:
    """Draw what is asked for. Requests take turns: stage and strength are the pipeline's own.

    Raises:
        ValueError: the request lacks something or holds what cannot be; the message is meant for the page.
        Stopped: it was stopped before it was done.
    """
    _refuse_lacking(request)
    _refuse_out_of_range(request, model.longest_side)
    _refuse_long_prompt(request.prompt, model.most_tokens)
    with model.turns.taken():
        stage = model.stage_for(request.task) if request.stage is None else request.stage
        if stage is not None:
            model.pipeline.set_stage(stage)
            model.pipeline.set_strength(request.strength)
        start = time.perf_counter()
        picture = _drawn(model, request, on_step)
        seconds = time.perf_counter() - start
        steps = model.pipeline.num_timesteps
        said = [
            f"{steps} {'step' if steps == 1 else 'steps'} in {seconds:.1f} s",
            f"{picture.width} × {picture.height} pixels{_fitted(request, picture)}",
            f"seed {request.seed}",
            "no adapter" if stage is None else f"stage {stage}",
        ]
        if unknown := _unknown_words(request.prompt, model.words):
            said.append(f"words it never learned: {', '.join(unknown)}")
        return Answer(picture=picture, routing=_routing_map(model), summary=" · ".join(said))


def _fitted(request: Request, picture: Image.Image) -> str:
    """What was asked for, where the base cannot draw in just that size."""
    asked = request.width or picture.width, request.height or picture.height
    return "" if asked == picture.size else f", for {asked[0]} × {asked[1]}"


def _unknown_words(prompt: str, known: frozenset[str] | None) -> list[str]:
    """In the order of the prompt; none where it is not known which are ``known``."""
    words = dict.fromkeys(word for word in tokens_of(prompt) if word.isalpha())
    return [] if known is None else [word for word in words if word not in known]


def seed_in(text: str) -> int:
    """The seed that is typed; 0 where nothing is.

    Raises:
        ValueError: it is not a whole number.
    """
    try:
        return int(text.strip() or "0")
    except ValueError:
        raise ValueError(f"The seed is a whole number from 0 to {_LAST_SEED}, not {text.strip()}.") from None


def _refuse_lacking(request: Request) -> None:
    task = TASKS[request.task]
    if request.picture is None:
        raise ValueError("There is no picture yet: upload one (PNG, JPEG, WebP), or click an example.")
    if task.masked and (request.mask is None or not np.asarray(request.mask).any()):
        raise ValueError("Nothing is painted over: paint the part of the picture that is to be filled.")
    if not request.prompt.strip() and not task.wordless:
        raise ValueError("The prompt is empty: say what is to be drawn or done.")


def _refuse_out_of_range(request: Request, longest_side: int) -> None:
    if request.steps is not None and not 1 <= request.steps <= _MOST_STEPS:
        raise ValueError(f"Steps go from 1 to {_MOST_STEPS}, not {request.steps}.")
    if not 0 <= request.seed <= _LAST_SEED:
        raise ValueError(f"The seed is a whole number from 0 to {_LAST_SEED}, not {request.seed}.")
    for name, side in _sides(request).items():
        if not 1 <= side <= longest_side:
            raise ValueError(f"The {name} goes up to {longest_side} pixels here, not {side}; 0: the picture's.")


def _sides(request: Request) -> dict[str, int]:
    """Width and height where one is asked for; the other keeps the picture's proportions, or is the base's own."""
    width, height, picture = request.width, request.height, request.picture
    if picture is not None and TASKS[request.task].aligned:
        if width is None and height is not None:
            width = round(picture.width * height / picture.height)
        elif height is None and width is not None:
            height = round(picture.height * width / picture.width)
    return {name: side for name, side in (("width", width), ("height", height)) if side is not None}


def _refuse_long_prompt(prompt: str, most: int | None) -> None:
    number = len(tokens_of(prompt))
    if most is not None and number > most:
        raise ValueError(f"The prompt is too long: {number} words and punctuation marks, and this base reads {most}.")


def _drawn(model: Model, request: Request, on_step: OnStep) -> Image.Image:
    pipeline = model.pipeline

    def stepped(_: Any, step: int, __: torch.Tensor, ___: dict[str, Any]) -> dict[str, Any]:
        on_step(step + 1, pipeline.num_timesteps)
        if model.turns.stopping:
            pipeline.stop()
        return {}

    drawn = pipeline(
        request.prompt,
        image=request.picture,
        mask=request.mask if TASKS[request.task].masked else None,
        task=request.task,
        width=request.width,
        height=request.height,
        negative_prompt="" if request.cfg > 1 else None,
        true_cfg_scale=request.cfg,
        num_inference_steps=request.steps,
        generator=torch.Generator().manual_seed(request.seed),
        callback_on_step_end=stepped,
        return_dict=False,
    )
    if model.turns.stopping:
        raise Stopped
    return drawn[0][0]


def _routing_map(model: Model) -> str:
    """Of the last call. The bundled adapter's experts are named for the task whose stage added each."""
    routing = model.pipeline.routing
    if routing is None:
        return ""
    numbers = range(routing.num_experts)
    names = [TASK_NAMES[number] if model.is_bundled else f"expert {number}" for number in numbers]
    usage = routing.usage().float().cpu().numpy()
    return heat_map(usage, names, num_double=model.pipeline.transformer.config["num_layers"])
