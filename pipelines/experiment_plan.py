"""The runs of an experiment: rows of table 5 and points of figure 4, each with its recipe, seed and parent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeVar

from pydantic import ValidationError

from cologen.trainer.changes import changes
from cologen.trainer.recipes.ablations import ABLATIONS, SWEEPS, at_equal_compute
from cologen.trainer.recipes.catalog import load_recipe
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.effects import Effect

ExperimentName = Literal["table5", "figure4"]
Scale = Literal["tiny", "small"]
SCALES: Mapping[Scale, str] = MappingProxyType({"tiny": "world", "small": "world-small"})
"""The recipe whose variants are compared."""

_Made = TypeVar("_Made")

STAGED = "staged"
KEEPING = (STAGED, "replay", "gated-replay")
"""The rows with all five stages, whose forgetting and routers are shown."""
_SHARING = ("alpha", "rho")
"""The sweeps whose values differ in the last stage alone: they share the stages before it with ``staged``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentRun:
    """One training run: ``row`` names it in tables, ``parent`` is the run that it begins after, at its last stage.

    ``same_as`` is the row whose run it is: a point of a sweep that changes nothing is not trained again.
    """

    row: str
    sweep: str | None
    recipe: Recipe
    parent: str | None = None
    same_as: str | None = None

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.same_as or self.row}-seed{self.recipe.seed}"

    @property
    def setting(self) -> float:
        """The value of its ``sweep``, which ends the row's name; 0 where there is none."""
        return float(self.row.rpartition("-")[2]) if self.sweep else 0.0

    @property
    def begins_at(self) -> str | None:
        """The checkpoint that it begins at, as ``train --from`` takes it behind the run: the end of a stage."""
        if self.parent is None:
            return None
        before = self.recipe.stages[-2]
        return f"{before.task}:{before.iterations}"


def planned(
    experiment: ExperimentName, scale: Scale, seeds: Sequence[int], overrides: Sequence[str] = ()
) -> tuple[ExperimentRun, ...]:
    """All runs, parents before those that begin after them.

    Raises:
        ValueError: a recipe cannot be overridden so; all its mistakes at once.
    """
    base = load_recipe(SCALES[scale], overrides)
    plan = _rows if experiment == "table5" else _points
    return tuple(run for seed in seeds for run in plan(base.replace(seed=seed)))


def same_training(one: Recipe, other: Recipe) -> bool:
    """Whether two recipes make the same weights and ask the same held-out losses; their grids and logs may differ."""
    before, after = one.model_dump(mode="json"), other.model_dump(mode="json")
    found = changes(before, after, finished=0, begun=max(len(one.stages), len(other.stages)))
    return all(change.effect is Effect.FREE for change in found) and _asked(one) == _asked(other)


def _asked(recipe: Recipe) -> object:
    """What decides the held-out losses."""
    held_out = recipe.held_out
    return held_out and (held_out.manifests, held_out.rows_per_task, held_out.times, held_out.earlier_tasks)


def _rows(base: Recipe) -> list[ExperimentRun]:
    """Table 5, ``replay`` and ``gated-replay``, every row with as many samples as ``staged``."""
    return [
        ExperimentRun(
            row=name, sweep=None, recipe=_made(name, lambda of, vary=vary: at_equal_compute(vary(of), of), base)
        )
        for name, vary in ABLATIONS.items()
    ]


def _points(base: Recipe) -> list[ExperimentRun]:
    """Figure 4, after the staged run whose first stages the sweeps of α and ρ share."""
    staged = ExperimentRun(row=STAGED, sweep=None, recipe=_made(STAGED, ABLATIONS[STAGED], base))
    prefix = f"{base.name}-"
    variants = [
        ExperimentRun(row=variant.name.removeprefix(prefix), sweep=sweep, recipe=staged.recipe, same_as=STAGED)
        if variant.replace(name=staged.recipe.name) == staged.recipe
        else ExperimentRun(
            row=variant.name.removeprefix(prefix),
            sweep=sweep,
            recipe=variant,
            parent=staged.name if sweep in _SHARING else None,
        )
        for sweep, vary in SWEEPS.items()
        for variant in _made(sweep, vary, base)
    ]
    # Those without a parent first: they need not wait for one.
    return [staged, *sorted(variants, key=lambda each: each.parent is not None)]


def _made(name: str, vary: Callable[[Recipe], _Made], base: Recipe) -> _Made:
    """What ``vary`` makes of a recipe; a recipe that cannot be is refused by the name of its row or sweep."""
    try:
        return vary(base)
    except ValidationError as error:
        mistakes = "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())
        raise ValueError(f"{name} cannot be trained so: {mistakes}") from error
