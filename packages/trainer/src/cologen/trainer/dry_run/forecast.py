"""The forecast of a run: size, cost and time, and everything that is missing. No GPU is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cologen.datagen.control.policy import HUB
from cologen.datagen.manifest import Manifest
from cologen.datagen.pair_records import ConditionKind
from cologen.model import costs
from cologen.model.presets import preset
from cologen.trainer.data.world import is_of_world, is_whole
from cologen.trainer.dry_run import missing, remedies
from cologen.trainer.dry_run.disk import Disk, disk, lacking
from cologen.trainer.dry_run.estimates import (
    Memory,
    Setup,
    copying_seconds,
    memory,
    operations_per_sample,
    seconds,
    shape_of,
    trained_parameters,
)
from cologen.trainer.dry_run.validating import validating_operations
from cologen.trainer.loop.kept_files import Kept
from cologen.trainer.loop.stored_text import stored_text
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.stages import Stage
from cologen.trainer.schedule.plan import Component, Plan

WEIGHTS: Mapping[ConditionKind, str | Path] = MappingProxyType({"hed": HUB, "lineart": HUB})
"""Where extractors' weights are looked for by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageForecast:
    """The forecast of one stage."""

    number: int
    stage: Stage
    parameters: int
    """Of the transformer with all experts of this stage."""
    trained: int
    memory: Memory
    samples: Mapping[str, int] | None
    """From each manifest; None where one is missing."""
    rows: Mapping[str, int]
    """Of each manifest that is there."""
    operations: float
    """Floating-point operations of the whole stage, without validation."""
    validating: float
    """Those of validation, all GPUs together; 0 without held-out rows."""
    seconds: float
    """Of training and validation."""
    accumulation: int | None
    """Micro batches that each GPU adds up for a step; None: the global batch cannot be divided so."""

    @property
    def seconds_per_step(self) -> float:
        """Of each optimizer step, validation spread over all."""
        return self.seconds / self.stage.iterations


@dataclass(frozen=True, slots=True, kw_only=True)
class RunForecast:
    """The forecast of a run, and the obstacles to it."""

    recipe: Recipe
    setup: Setup
    stages: tuple[StageForecast, ...]
    disk: Disk
    to_build: tuple[str, ...]
    """Manifests of the synthetic dataset that are made before training begins."""
    missing: tuple[str, ...]
    """Files that are not there, or are not what they should be; each in one line."""
    problems: tuple[str, ...]
    """What does not fit together."""

    @property
    def ready(self) -> bool:
        """Whether the run could begin."""
        return not self.missing and not self.problems


def forecast_run(
    recipe: Recipe,
    stages: Sequence[int],
    *,
    data: str | Path,
    base: Path | None,
    folder: Path,
    setup: Setup,
    parent: Path | None = None,
    refusals: Sequence[str] = (),
    roots: Mapping[str, Path] = MappingProxyType({}),
    weights: Mapping[ConditionKind, str | Path] = WEIGHTS,
    wandb: bool = False,
) -> RunForecast:
    """The forecast for training the stages of these numbers, one after the other, into ``folder``.

    Args:
        data: the folder of the manifests.
        roots: where the pictures of a manifest are, if not where they were when it was built, by its name.
        base: the folder of a FLUX base, or the weights of a small base; None: not given.
        parent: the run that this one branches off from, which holds the earlier stages; None: ``folder`` holds them.
        refusals: reasons known to the caller why the run cannot begin in ``folder``.
        weights: of the extractors that draw conditions during training.
        wandb: whether Weights & Biases is to be logged to.
    """
    names = recipe.manifests_of(stages)
    paths = {name: f"{str(data).rstrip('/')}/{name}" for name in names}
    to_build = [name for name in names if _is_built_first(recipe, name, paths[name])]
    found, lines = dict[str, Manifest](), list[str]()
    for name in (name for name in names if name not in to_build):
        try:
            found[name] = missing.whole_manifest(paths[name], roots.get(name))
        except (FileNotFoundError, ValueError) as error:
            lines.append(str(error))
        else:
            lines += missing.from_rows(paths[name], found[name], roots.get(name), weights)
    planned = tuple(_stage_forecast(recipe, number, found, setup) for number in stages)
    lines += missing.from_base(recipe, base) + missing.from_stages_before(recipe, stages, parent or folder)
    lines += missing.from_packages(recipe, wandb=wandb) + missing.from_measures(recipe)
    rows = {name: manifest.rows for name, manifest in found.items()}
    kept = _stored_text(recipe, base, data)
    lines += [] if kept is None else missing.from_stored_text(kept)
    needed = disk(recipe, stages, folder, rows=rows, builds_data=bool(to_build), stored_text=kept)
    problems = [*_problems(recipe, planned, setup), *_wrong_tasks(recipe, stages, found)]
    problems += [*lacking(needed, recipe, folder), *refusals]
    return RunForecast(
        recipe=recipe,
        setup=setup,
        stages=planned,
        disk=needed,
        to_build=tuple(to_build),
        missing=tuple(dict.fromkeys(lines)),
        problems=tuple(dict.fromkeys(problems)),
    )


def _stored_text(recipe: Recipe, base: Path | None, data: str | Path) -> Kept | None:
    """The text embeddings that are read in place of encoders; None: none are, or the base is among what is missing."""
    if not recipe.stored_text:
        return None
    try:
        return stored_text(recipe, base, Path(data))
    except FileNotFoundError:
        return None


def _is_built_first(recipe: Recipe, name: str, path: str) -> bool:
    """Whether training itself makes this manifest; one that is damaged stops it, and is named as such."""
    if preset(recipe.preset).family != "world" or not is_of_world(name):
        return False
    try:
        return not is_whole(Path(path))
    except ValueError:
        return False


def _stage_forecast(recipe: Recipe, number: int, found: Mapping[str, Manifest], setup: Setup) -> StageForecast:
    stage, size = recipe.stages[number], costs.parameters(shape_of(recipe, number))
    operations = float(operations_per_sample(recipe, number) * stage.total_samples)
    rows = {name: manifest.rows for name, manifest in found.items()}
    validating = validating_operations(recipe, number, setup.num_gpus, rows)
    accumulation, rest = divmod(stage.global_batch, setup.num_gpus * recipe.micro_batch)
    copying = copying_seconds(recipe, number) * stage.total_samples / recipe.micro_batch / setup.num_gpus
    return StageForecast(
        number=number,
        stage=stage,
        parameters=size.base + size.per_expert * recipe.num_experts(number) + size.router,
        trained=trained_parameters(recipe, number),
        memory=memory(recipe, number, setup),
        samples=_samples(recipe, stage, found),
        rows={name: found[name].rows for name in stage.manifests if name in found},
        operations=operations,
        validating=validating,
        seconds=seconds(operations + validating, setup) + copying,
        accumulation=None if rest else accumulation,
    )


def _samples(recipe: Recipe, stage: Stage, found: Mapping[str, Manifest]) -> dict[str, int] | None:
    """How many samples the stage draws from each manifest, as its plan counts them."""
    if stage.scenes is not None:
        return {name: round(share * stage.total_samples) for name, share in stage.scenes.shares.items()}
    known = {name: (str(found[name].task), found[name].rows) for name in stage.manifests if name in found}
    if len(known) < len(stage.manifests) or not all(rows for _, rows in known.values()):
        return None
    try:
        weights = stage.weights(known)
    except (ValueError, KeyError):  # manifests of other tasks, which are named among the problems
        return None
    sources = tuple(Component(name, known[name][1], weight, "") for name, weight in weights.items())
    plan = Plan(recipe.seed, sources, stage.global_batch)
    return plan.counts(stage.total_samples)


def _wrong_tasks(recipe: Recipe, stages: Sequence[int], found: Mapping[str, Manifest]) -> list[str]:
    wrong: list[str] = []
    for stage in (recipe.stages[number] for number in stages):
        for name in stage.manifests:
            if name in found and found[name].task not in stage.manifest_tasks:
                expected = " or ".join(stage.manifest_tasks)
                wrong.append(f"{name} holds samples of task {found[name].task}, stage {stage.task} reads {expected}")
            if name in found and not found[name].rows:
                wrong.append(f"{name} has no samples")
    held_out = {name: task for number in stages for task, names in recipe.held_out_of(number).items() for name in names}
    for name, task in held_out.items():
        if name in found and found[name].task != task:
            wrong.append(f"{name} holds samples of task {found[name].task}, held_out.manifests.{task} names it")
        if name in found and not found[name].rows:
            wrong.append(f"{name} has no samples")
    return wrong


def _problems(recipe: Recipe, planned: Sequence[StageForecast], setup: Setup) -> list[str]:
    stages, problems = [each.number for each in planned], remedies.conflicts(recipe, setup)
    undivided = [each.stage for each in planned if each.accumulation is None]
    problems += [
        f"stage {stage.task}: global_batch {stage.global_batch} cannot be divided over {setup.num_gpus} GPUs in micro "
        f"batches of {recipe.micro_batch}"
        for stage in undivided
    ]
    if undivided:
        problems.append(f"batches: {remedies.for_division(recipe, stages, setup)}")
    too_large = [each for each in planned if each.memory.total > setup.gpu.memory * 1e9]
    problems += [
        f"stage {each.stage.task} needs about {each.memory.total / 1e9:.1f} GB on each GPU, and {setup.gpu.name} has "
        f"{setup.gpu.memory:g}"
        for each in too_large
    ]
    if too_large:
        problems.append(f"memory: {remedies.for_memory(recipe, stages, setup)}")
    return problems
