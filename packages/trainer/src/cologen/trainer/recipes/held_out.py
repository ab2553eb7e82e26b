"""What a recipe says about held-out rows: which, how often, at which times, and what is measured in their samples.

None of it decides a number of training, so all of it may change when a run goes on.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cologen.model.tasks import TaskName
from cologen.trainer.recipes.effects import Free, RecipePart

Time = Annotated[float, Field(gt=0, le=1)]

INSTALLED = "installed"
"""In place of the names of measures: all that are installed on this machine, perhaps none."""


class HeldOut(RecipePart):
    """Rows that are never trained on, and what is asked of them while a stage is trained.

    The loss is taken before the first step, every ``every`` steps and at the end of the stage.
    """

    manifests: Free[dict[TaskName, tuple[str, ...]]]
    """Manifest folders under the data folder by task, built of a validation split. A stage uses those of its tasks."""
    rows_per_task: Free[int] = Field(default=64, ge=1)
    """At most; they are taken evenly from all rows of the task's manifests."""
    every: Free[int] = Field(default=1000, ge=1)
    """Steps between two validations."""
    times: Free[tuple[Time, ...]] = (0.1, 0.3, 0.5, 0.7, 0.9)
    """The times of the flow at which each row's loss is taken: near 0 the picture is nearly clean, at 1 it is noise."""
    earlier_tasks: Free[bool] = True
    """Whether rows of the tasks of all stages before are used too: what later stages make of what was learned."""
    num_samples: Free[int] = Field(default=8, ge=0)
    """Samples of the grid that is drawn at the end of a stage, spread over its tasks; 0 draws none."""
    grid_every: Free[int] = Field(default=0, ge=0)
    """Steps between grids while a stage is trained, a multiple of ``every``; 0 draws one at its end alone."""
    measures: Free[tuple[str, ...] | Literal["installed"]] = INSTALLED
    """What is measured in each sample of the grid, by name, or all that is installed."""

    @model_validator(mode="after")
    def _agrees(self) -> HeldOut:
        if not self.manifests or not all(self.manifests.values()):
            raise ValueError("manifests name one folder or more for each task: name some, or set held_out=none")
        if not self.times or sorted(set(self.times)) != list(self.times):
            raise ValueError(f"times rise, and there is one or more: {self.times}")
        if self.grid_every % self.every:
            raise ValueError(f"grid_every {self.grid_every} is not a multiple of every {self.every}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The folders of all manifests."""
        return tuple(dict.fromkeys(name for names in self.manifests.values() for name in names))
