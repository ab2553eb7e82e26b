"""One stage of the curriculum as a value: what it trains on, for how long, how, and with which veteran gate.

Table 1 and section 3.1 of the paper give five stages; the built-in recipes hold their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from cologen.model.newcomer import NEWCOMER_BIAS
from cologen.model.tasks import TASK_NAMES, TaskName
from cologen.trainer.recipes.decay import DecayForm, described, remaining
from cologen.trainer.recipes.effects import Numbers, RecipePart, Remedy, Shape
from cologen.trainer.recipes.optimizer import Float32
from cologen.trainer.recipes.scenes import Scenes

StageTask = Literal[TaskName, "mixed", "text-to-image"]


def _weight(value: object) -> object:
    if value == "by size" or (isinstance(value, int | float) and value > 0):
        return value
    raise ValueError("expected a positive number or 'by size'")


Weight = Annotated[float | Literal["by size"], BeforeValidator(_weight)]


class Stage(RecipePart):
    """One step t of the curriculum.

    ``mixed`` trains all tasks of ``task_shares`` at once (figure 1a); ``text-to-image`` trains the base itself, on the
    captions and pictures of inpainting manifests or of ``scenes``, without a source.
    """

    later: ClassVar[tuple[str, ...]] = (
        "scenes",
        "router_rate",
        "decay_share",
        "decay_form",
        "decay_floor",
        "gate_per_task",
    )

    task: Shape[StageTask]
    manifests: Numbers[dict[str, Weight]] = Field(default={})
    """Manifest folders under the data folder, each with its weight: all "by size" (see docs/design.md), or all
    numbers."""
    scenes: Numbers[Scenes | None] = None
    """Of a text-to-image stage: scenes that are drawn anew for every batch, in place of manifests."""
    task_shares: Numbers[dict[TaskName, float]] = Field(default={})
    """Of a mixed stage: each task's share of the samples, relative to the others'; weights count within a task. Another
    stage has them where it trains on samples of other tasks beside its own."""
    iterations: Numbers[int] = Field(ge=1)
    """Optimizer steps."""
    global_batch: Numbers[int] = Field(ge=1)
    """Samples per optimizer step, over all processes."""
    learning_rate: Remedy[Float32] = Field(gt=0)
    router_rate: Numbers[Float32] = Field(default=1.0, gt=0)
    """What the learning rate of the routers is multiplied by."""
    warmup_steps: Numbers[int] = Field(ge=0)
    """Steps in which the learning rate rises to its value and the newcomer's bias to 0."""
    decay_share: Numbers[float] = Field(default=0.0, ge=0, le=1)
    """The share of the iterations, at the end, in which the learning rate falls: 0 is a constant rate, 1 the cosine
    schedule, and a share between them is warm-up–stable–decay."""
    decay_form: Numbers[DecayForm] = "cosine"
    """Along what the learning rate falls: half a cosine, a line, or 1 − √x of the share x of the decay that is done."""
    decay_floor: Numbers[float] = Field(default=0.0, ge=0, lt=1)
    """What it falls to, as a share of ``learning_rate``."""
    rho: Numbers[float] = Field(ge=0, le=1)
    """ρ of eq. 9: the routing density asked of the newest expert, as a share of all choices; with ``gate_per_task``
    also the share of the samples that are of the stage's own task."""
    alpha: Numbers[Float32] = Field(ge=0)
    """α of eq. 9: the weight of the veteran gate loss."""
    gate_per_task: Numbers[bool] = False
    """Not of the paper: one veteran gate for each task of ``task_shares``, which asks that all samples of the task take
    the expert of its stage in all blocks."""
    new_expert: Shape[bool]
    """Whether the stage adds the expert that it trains, or continues with the newest one."""
    newcomer_bias: Numbers[Float32] = Field(default=NEWCOMER_BIAS, le=0)
    """What is added to a new expert's router logit at first, so that it changes the function little (see
    docs/design.md)."""

    @field_validator("task_shares", mode="before")
    @classmethod
    def _need_sources(cls, shares: object) -> object:
        if isinstance(shares, Mapping) and "text-to-image" in shares:
            raise ValueError(
                "text-to-image has no share in a stage that trains experts: they work on a source alone, so a row "
                "without one trains nothing, and without a source the frozen base draws as it did. Leave it out, or "
                "train the base in a stage of task text-to-image"
            )
        return shares

    @model_validator(mode="after")
    def _agrees(self) -> Stage:
        if self.warmup_steps > self.iterations:
            raise ValueError(f"warmup_steps {self.warmup_steps} exceeds iterations {self.iterations}")
        if self.scenes is not None and (self.manifests or not self.trains_base):
            raise ValueError("scenes take the place of manifests, in a text-to-image stage alone")
        if self.scenes is None and len({weight == "by size" for weight in self.manifests.values()}) != 1:
            raise ValueError(f"manifests are one or more, weighted all by numbers or all 'by size': {self.manifests}")
        if not self.decay_share and (self.decay_floor or self.decay_form != "cosine"):
            raise ValueError(
                f"decay_form {self.decay_form} and decay_floor {self.decay_floor:g} say how the learning rate falls, "
                "and with decay_share 0 it does not: set decay_share too, or leave them out"
            )
        mixed = self.task == "mixed"
        if mixed and not self.task_shares:
            raise ValueError("a mixed stage has task_shares, and there are none")
        if self.task_shares and not mixed and self.task not in self.task_shares:
            raise ValueError(f"task_shares of stage {self.task} lack its own task: {self.task_shares}")
        if any(share <= 0 for share in self.task_shares.values()):
            raise ValueError(f"task_shares are positive: {self.task_shares}")
        if self.gate_per_task and mixed:
            raise ValueError("gate_per_task is for stages that have an expert of their own task, and mixed has none")
        if self.gate_per_task and len(self.task_shares) < 2:
            raise ValueError(
                f"gate_per_task of stage {self.task}: its task_shares name no second task: add one, or set it to false"
            )
        if self.gate_per_task and not self.alpha:
            raise ValueError(f"gate_per_task of stage {self.task}: alpha is 0, so no gate would pull")
        if self.gate_per_task:
            own = self.task_shares[self.own_tasks[0]] / sum(self.task_shares.values())
            if not isclose(own, self.rho, abs_tol=1e-6):
                raise ValueError(
                    f"gate_per_task of stage {self.task}: rho is {self.rho:g}, and {own:g} of the samples are of its "
                    "own task: they have to be the same"
                )
        if self.trains_base and (self.new_expert or self.alpha or self.router_rate != 1):
            raise ValueError(
                "a text-to-image stage trains the base: it has new_expert = false, alpha = 0 and router_rate = 1"
            )
        return self

    @property
    def gate_rho(self) -> float:
        """ρ as its veteran gates have it: 1 where each task has one."""
        return 1.0 if self.gate_per_task else self.rho

    @property
    def total_samples(self) -> int:
        """How many samples it sees, all processes together."""
        return self.iterations * self.global_batch

    @property
    def trains_base(self) -> bool:
        """Whether all parameters of the base train, and no expert."""
        return self.task == "text-to-image"

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of all that the stage draws its samples from."""
        return tuple(self.manifests) if self.scenes is None else tuple(self.scenes.shares)

    @property
    def own_tasks(self) -> tuple[TaskName, ...]:
        """The tasks that the stage is there for; of a base, the one whose manifests hold captions."""
        if self.task == "mixed":
            return tuple(self.task_shares)
        return ("inpaint",) if self.task == "text-to-image" else (self.task,)

    @property
    def manifest_tasks(self) -> tuple[TaskName, ...]:
        """The tasks whose manifests the stage can read."""
        return tuple(self.task_shares) or self.own_tasks

    def weights(self, found: Mapping[str, tuple[str, int]]) -> dict[str, float]:
        """Each manifest's weight in the mix, given what was ``found`` in each: its task and its number of rows.

        Raises:
            ValueError: a task that has a share has no manifest.
        """
        plain = {
            name: float(found[name][1]) if weight == "by size" else weight for name, weight in self.manifests.items()
        }
        if not self.task_shares:
            return plain
        totals = {str(task): sum(plain[name] for name in plain if found[name][0] == task) for task in self.task_shares}
        if lacking := [task for task, total in totals.items() if not total]:
            raise ValueError(f"no manifest holds samples of {', '.join(lacking)}; add one, or leave its share out")
        scales = {str(task): share / totals[task] for task, share in self.task_shares.items()}
        return {name: weight * scales[found[name][0]] for name, weight in plain.items()}

    @property
    def learning_rate_words(self) -> str:
        """The learning rate and how it falls, in a few words."""
        return f"{self.learning_rate:g}{described(self.decay_share, self.decay_form, self.decay_floor)}"

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of ``step`` (from 0): rising in a line over the warm-up, falling in the last steps; after
        the last one it would be at its floor."""
        left = (self.iterations - step) / (round(self.decay_share * self.iterations) + 1)
        falling = remaining(self.decay_form, left, self.decay_floor) if left < 1 else 1.0
        return self.learning_rate * min(1.0, (step + 1) / (self.warmup_steps + 1)) * falling

    def newcomer_bias_at(self, step: int) -> float:
        """The bias of ``step`` (from 0): from ``newcomer_bias`` in a line to 0 at the end of the warm-up."""
        return self.newcomer_bias * max(0.0, 1 - step / self.warmup_steps) if self.warmup_steps else 0.0


def five_stages(
    manifests: Mapping[TaskName, dict[str, Weight]],
    sizes: Mapping[TaskName, tuple[int, int]],
    *,
    learning_rate: float,
    warmup_steps: int,
    decay_share: float = 0.0,
) -> tuple[Stage, ...]:
    """The five stages, given iterations and global batch of each, and the share of its iterations in which a stage's
    learning rate falls; ρ and α are the paper's (section 3.1)."""
    return tuple(
        Stage(
            task=task,
            manifests=manifests[task],
            iterations=sizes[task][0],
            global_batch=sizes[task][1],
            learning_rate=learning_rate,
            warmup_steps=warmup_steps,
            decay_share=decay_share,
            rho=1.0 if number == 0 else 0.8,
            alpha=0.0 if number == 0 else 0.5,
            new_expert=True,
        )
        for number, task in enumerate(TASK_NAMES)
    )
