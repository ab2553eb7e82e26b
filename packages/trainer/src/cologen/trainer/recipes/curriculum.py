"""The recipe of a whole run as a value: its stages, and how they are trained.

A recipe decides everything about a run except the paths of files; the resolved one is saved with the run. Each field
declares whether it may change when the run continues (``effects``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from cologen.datagen.manifest import recipe_hash as _hash_of
from cologen.trainer.recipes.effects import Free, Numbers, RecipePart, Remedy, Shape
from cologen.trainer.recipes.held_out import HeldOut
from cologen.trainer.recipes.optimizer import Float32, Optimizer
from cologen.trainer.recipes.stages import Stage, StageTask

HELD_OUT = "held_out"
"""The field of a recipe that is left out of its plain values where it is None."""


def _absent(value: object) -> object:
    """None for the word that leaves something out of a recipe."""
    return None if value == "none" else value


class Resolution(RecipePart):
    """The sizes in pixels that pictures are resized to: sides are multiples of ``multiple``, areas about ``side``²."""

    side: Numbers[int] = Field(ge=16)
    multiple: Numbers[int] = Field(ge=1)
    max_aspect: Numbers[float] = Field(ge=1)
    """The longest side ratio that has a bucket of its own; 1 makes every picture a square."""

    @model_validator(mode="after")
    def _agrees(self) -> Resolution:
        if self.side % self.multiple:
            raise ValueError(f"side {self.side} is not a multiple of {self.multiple}")
        return self


class Recipe(RecipePart):
    """Everything that decides a run, except the paths of files and the number of processes."""

    later: ClassVar[tuple[str, ...]] = (
        HELD_OUT,
        "continues_base",
        "offload_base",
        "stored_text",
        "checkpoint_minutes",
    )

    name: Free[str] = Field(pattern=r"^[\w+-][\w.+-]*$")
    preset: Shape[str]
    """The base's shape: a preset of the model."""
    seed: Numbers[int] = Field(default=0, ge=0)
    resolution: Resolution
    rank: Shape[int] = Field(ge=1)
    """Rank of each expert's key and value projections."""
    expert_scale: Shape[Float32] = Field(default=2.0, gt=0)
    """What an expert's output is multiplied by: the paper's LoRA alpha over rank."""
    routing: Shape[Literal["sample", "token"]] = "sample"
    source_timestep: Shape[Literal["zero", "shared"]] = "zero"
    stages: tuple[Stage, ...]
    continues_base: Numbers[bool] = False
    """Of a recipe that trains a base: whether it begins with the weights of another, which ``--base`` gives, or with
    random ones."""

    precision: Numbers[Literal["bf16", "fp32"]] = "bf16"
    quantize_base: Numbers[Literal["none", "int8", "fp8", "nf4"]] = "none"
    """How the frozen base's matrices are kept: 8 bits a number, or about 4 (``nf4``, of QLoRA)."""
    optimizer: Optimizer = Optimizer()
    clip: Remedy[Float32] = Field(default=1.0, gt=0)
    """The largest norm of the gradient over all trained parameters."""
    ema_decay: Numbers[float] = Field(default=0.999, ge=0, lt=1)
    """The decay per step of the trained weights' moving average, after a warm-up (``learner.decay_at``); 0 keeps the
    last weights."""
    caption_dropout: Numbers[float] = Field(default=0.1, ge=0, le=1)
    """The share of samples that train with the empty prompt, as classifier-free guidance needs."""
    micro_batch: Free[int] = Field(ge=1)
    """Samples per forward pass on one device."""
    gradient_checkpointing: Free[bool] = False
    compile: Free[bool] = False
    """Compile the transformer's blocks: minutes at the beginning of each stage, and faster steps."""
    cache_text: Free[bool] = False
    """Keep text embeddings on disk."""
    stored_text: Free[bool] = False
    """Read the text embeddings that ``python -m pipelines.encode_text`` has made; text encoders are never loaded."""
    cache_latents: Free[bool] = False
    """Keep latents of pictures on disk."""
    cache_gb: Free[float] = Field(default=50.0, gt=0, allow_inf_nan=False)
    """The most that the cache of text may take on disk, and that of latents likewise, in GB (10⁹)."""
    offload_text: Free[bool] = False
    """Have the text encoders' weights on the GPU only while they encode: FLUX's take 10 GB."""
    offload_base: Free[bool] = False
    """Have each frozen block's weights on the GPU only while it computes: steps are slower, the base takes little."""

    max_nonfinite: Free[int] = Field(default=10, ge=0)
    """Steps in a row skipped for a loss or gradient that is not finite, after which the run stops."""
    max_failed_share: Free[float] = Field(default=0.01, ge=0, le=1)
    """The share of a stage's samples that may fail to load before the run stops."""
    checkpoint_every: Free[int] = Field(ge=1)
    """Steps between checkpoints; the end of a stage always writes one."""
    checkpoint_minutes: Free[float] = Field(default=0.0, ge=0)
    """Minutes after a checkpoint, or the beginning, after which another is written even if steps would not ask for one;
    0: steps alone do."""
    keep_last: Free[int] = Field(default=2, ge=1)
    """Checkpoints kept beside the one of each finished stage."""
    log_every: Free[int] = Field(default=10, ge=1)
    num_samples: Free[int] = Field(default=8, ge=1)
    """Rows of the sample grid drawn at the end of each stage."""
    held_out: Free[Annotated[HeldOut | None, BeforeValidator(_absent)]] = None
    """Rows for validation while training; None, or "none": there are none."""

    @model_validator(mode="after")
    def _agrees(self) -> Recipe:
        tasks = [stage.task for stage in self.stages]
        if not tasks:
            raise ValueError("a recipe needs at least one stage")
        if repeated := [task for task, times in Counter(tasks).items() if times > 1]:
            raise ValueError(f"stages are called by their tasks, and {repeated[0]} is there more than once")
        if "text-to-image" in tasks and len(tasks) > 1:
            raise ValueError("text-to-image makes the base that experts stand on: it needs a recipe of its own")
        if not self.stages[0].trains_base and not self.stages[0].new_expert:
            raise ValueError("the first stage has no expert to go on with: set its new_expert = true")
        if self.continues_base and not self.stages[0].trains_base:
            raise ValueError("continues_base is for a text-to-image recipe: in others the base is frozen")
        if self.quantize_base != "none" and self.stages[0].trains_base:
            raise ValueError(f"a base that trains cannot be quantized: quantize_base is {self.quantize_base}, not none")
        self._check_what_saves_memory()
        for number, stage in enumerate(self.stages):
            if stage.global_batch % self.micro_batch:
                raise ValueError(
                    f"stages.{stage.task}.global_batch {stage.global_batch} is not a multiple of micro_batch "
                    f"{self.micro_batch}"
                )
            if stage.scenes is not None and self.resolution.max_aspect != 1:
                raise ValueError(f"scenes are squares: resolution.max_aspect is {self.resolution.max_aspect}, not 1")
            known = [each.task for each in self.stages[: number + 1] if each.new_expert]
            if stage.gate_per_task and (unknown := [task for task in stage.task_shares if task not in known]):
                raise ValueError(
                    f"stages.{stage.task}.gate_per_task: no stage up to it has new_expert for {', '.join(unknown)}: "
                    "leave its share out, or set gate_per_task to false"
                )
            if both := sorted(set(stage.manifests) & set(self.held_out.names if self.held_out else ())):
                raise ValueError(f"{both[0]} is held out, and stages.{stage.task}.manifests would train on it")
        return self

    def _check_what_saves_memory(self) -> None:
        if self.stored_text and self.cache_text:
            raise ValueError("stored_text has every prompt on disk: set cache_text to false")
        if self.stored_text and self.offload_text:
            raise ValueError("stored_text loads no text encoders: set offload_text to false")
        if self.stored_text and (drawn := [stage.task for stage in self.stages if stage.scenes is not None]):
            raise ValueError(f"stages.{drawn[0]} draws scenes and captions while it trains: set stored_text to false")
        if not self.offload_base:
            return
        if self.stages[0].trains_base:
            raise ValueError("offload_base keeps frozen blocks on the CPU, and here the base trains: set it to false")
        if not self.gradient_checkpointing:
            raise ValueError("offload_base saves nothing without gradient_checkpointing: set it to true, too")
        if self.quantize_base != "none" or self.compile:
            raise ValueError("offload_base works with neither quantize_base nor compile: leave one of them out")

    def stage(self, which: str | int) -> Stage:
        """The stage of this number (from 0) or task.

        Raises:
            ValueError: there is none.
        """
        tasks = [stage.task for stage in self.stages]
        for number, stage in enumerate(self.stages):
            if str(which) in (str(number), stage.task):
                return stage
        numbered = ", ".join(f"{number} ({task})" for number, task in enumerate(tasks))
        raise ValueError(f"{self.name} has no stage {which}; it has {numbered}")

    @property
    def total_samples(self) -> int:
        """How many samples all stages see."""
        return sum(stage.total_samples for stage in self.stages)

    def num_experts(self, stage_number: int) -> int:
        """N of eq. 4: how many experts there are while the stage of this number (from 0) trains."""
        return sum(stage.new_expert for stage in self.stages[: stage_number + 1])

    @property
    def task_experts(self) -> dict[StageTask, int]:
        """The number of the expert that the stage of each task adds, in their order."""
        return {stage.task: number for number, stage in enumerate(each for each in self.stages if each.new_expert)}

    def manifests_of(self, stage_numbers: Iterable[int]) -> tuple[str, ...]:
        """The folders of all manifests that these stages read, once each: to train on, then those held out."""
        numbers = tuple(stage_numbers)
        trained = [name for number in numbers for name in self.stages[number].manifests]
        held_out = [name for number in numbers for names in self.held_out_of(number).values() for name in names]
        return tuple(dict.fromkeys([*trained, *held_out]))

    def held_out_of(self, stage_number: int) -> dict[str, tuple[str, ...]]:
        """The held-out manifests that the stage of this number (from 0) uses, by task: its own tasks' first."""
        if self.held_out is None:
            return {}
        before = self.stages[:stage_number] if self.held_out.earlier_tasks else ()
        tasks = dict.fromkeys(task for stage in (self.stages[stage_number], *before) for task in stage.own_tasks)
        return {task: self.held_out.manifests[task] for task in tasks if task in self.held_out.manifests}


def unshardable_base(recipe: Recipe) -> str | None:
    """Why FSDP cannot shard the frozen base, which takes less memory than its numbers; None: it can."""
    if recipe.quantize_base != "none":
        setting, without = f"quantize_base={recipe.quantize_base}", "quantize_base=none"
    elif recipe.offload_base:
        setting, without = "offload_base=true", "offload_base=false"
    else:
        return None
    return f"{setting} cannot be sharded: --strategy ddp, or --set {without}"


def recipe_hash(recipe: Recipe) -> str:
    """A hash of the resolved recipe."""
    return _hash_of(recipe.model_dump(mode="json"))
