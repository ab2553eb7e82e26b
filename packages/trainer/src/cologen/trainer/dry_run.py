"""What a run would be, before there is one: its size, cost and time, and all files it lacks. No GPU is touched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cologen.datagen.manifest import Manifest, load_manifest
from cologen.datagen.storage import Folder
from cologen.model import costs
from cologen.model.adapters import INDEX
from cologen.model.presets import preset
from cologen.model.world_base import packaged_base
from cologen.trainer.checkpoint import ADAPTER
from cologen.trainer.curriculum import Recipe, Stage
from cologen.trainer.estimates import (
    Memory,
    Setup,
    memory,
    operations_per_sample,
    seconds,
    shape_of,
    trained_parameters,
)
from cologen.trainer.plan import Plan, PlannedSource


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """What one stage would be."""

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
    """Floating-point operations of the whole stage."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What a run would be, and what is in its way."""

    recipe: Recipe
    setup: Setup
    stages: tuple[StagePlan, ...]
    missing: tuple[str, ...]
    """Files that are not there, or are not what they should be; each in one line."""
    problems: tuple[str, ...]
    """What does not fit together."""

    @property
    def ready(self) -> bool:
        """Whether the run could begin."""
        return not self.missing and not self.problems


def plan_run(
    recipe: Recipe,
    stages: Sequence[int],
    *,
    data: str | Path,
    base: Path | None,
    folder: Path,
    setup: Setup,
    roots: Mapping[str, Path] = MappingProxyType({}),
) -> RunPlan:
    """Plan to train the stages of these numbers, one after the other, into ``folder``.

    Args:
        data, roots: the folder of the manifests, and where their pictures lie, as in ``loading.open_stage``.
        base: the folder of a FLUX base, or the weights of one of the world's; None: not given.
    """
    names = dict.fromkeys(name for number in stages for name in recipe.stages[number].manifests)
    found, missing = dict[str, Manifest](), list[str]()
    for name in names:
        try:
            found[name] = _manifest(f"{str(data).rstrip('/')}/{name}", roots.get(name))
        except (FileNotFoundError, ValueError) as error:
            missing.append(str(error))
    planned = tuple(_stage_plan(recipe, number, found, setup) for number in stages)
    missing += _missing_from_base(recipe, base) + _missing_from_stages_before(recipe, stages, folder)
    problems = [*_problems(recipe, planned, setup), *_wrong_tasks(recipe, stages, found)]
    return RunPlan(
        recipe=recipe, setup=setup, stages=planned, missing=tuple(missing), problems=tuple(dict.fromkeys(problems))
    )


def _manifest(path: str, root: Path | None) -> Manifest:
    """A manifest whose parts and pictures are there; their bytes are not read."""
    folder = Folder.open(path)
    manifest = load_manifest(folder)
    absent = sorted({part.file for part in manifest.parts} - set(folder.names()))
    if absent:
        raise FileNotFoundError(f"{path} lacks {len(absent)} of its {manifest.num_parts} parts, the first {absent[0]}")
    if not manifest.complete:
        raise ValueError(f"{path} is incomplete: {len(manifest.parts)} of {manifest.num_parts} parts")
    pictures = root or Path(manifest.root)
    if not pictures.is_dir():
        raise FileNotFoundError(f"the pictures of {path} are not under {pictures}")
    return manifest


def _stage_plan(recipe: Recipe, number: int, found: Mapping[str, Manifest], setup: Setup) -> StagePlan:
    stage, size = recipe.stages[number], costs.parameters(shape_of(recipe, number))
    operations = float(operations_per_sample(recipe, number) * stage.iterations * stage.global_batch)
    return StagePlan(
        number=number,
        stage=stage,
        parameters=size.base + size.per_expert * recipe.num_experts(number) + size.router,
        trained=trained_parameters(recipe, number),
        memory=memory(recipe, number, setup),
        samples=_samples(recipe, stage, found),
        rows={name: found[name].rows for name in stage.manifests if name in found},
        operations=operations,
        seconds=seconds(operations, setup),
    )


def _samples(recipe: Recipe, stage: Stage, found: Mapping[str, Manifest]) -> dict[str, int] | None:
    """How many samples the stage draws from each manifest: the very numbers of its plan."""
    known = {name: (str(found[name].task), found[name].rows) for name in stage.manifests if name in found}
    if len(known) < len(stage.manifests) or not all(rows for _, rows in known.values()):
        return None
    try:
        weights = stage.weights(known)
    except (ValueError, KeyError):  # manifests of other tasks, which are named among the problems
        return None
    sources = tuple(PlannedSource(name, known[name][1], weight, "") for name, weight in weights.items())
    plan = Plan(recipe.seed, sources, stage.global_batch)
    return plan.counts(stage.iterations * stage.global_batch)


def _wrong_tasks(recipe: Recipe, stages: Sequence[int], found: Mapping[str, Manifest]) -> list[str]:
    wrong: list[str] = []
    for stage in (recipe.stages[number] for number in stages):
        for name in stage.manifests:
            if name in found and found[name].task not in stage.manifest_tasks:
                expected = " or ".join(stage.manifest_tasks)
                wrong.append(f"{name} holds samples of task {found[name].task}, stage {stage.task} reads {expected}")
            if name in found and not found[name].rows:
                wrong.append(f"{name} has no samples")
    return wrong


def _problems(recipe: Recipe, planned: Sequence[StagePlan], setup: Setup) -> list[str]:
    problems: list[str] = []
    together, room = setup.num_gpus * recipe.micro_batch, setup.gpu.memory * 1e9
    for each in planned:
        if each.stage.global_batch % together:
            problems.append(
                f"stage {each.stage.task}: global_batch {each.stage.global_batch} cannot be divided over "
                f"{setup.num_gpus} GPUs in micro batches of {recipe.micro_batch}"
            )
        if each.memory.total > room:
            problems.append(
                f"stage {each.stage.task} needs about {each.memory.total / 1e9:.0f} GB on each GPU, and "
                f"{setup.gpu.name} has {setup.gpu.memory:g}: {_remedy(recipe, setup)}"
            )
    return problems


def _remedy(recipe: Recipe, setup: Setup) -> str:
    """What lowers the memory, the cheapest first."""
    remedies = {
        "micro_batch=1": recipe.micro_batch > 1,
        "gradient_checkpointing=true": not recipe.gradient_checkpointing,
        "FSDP": setup.num_gpus > 1 and not setup.sharded,
        "quantize_base=fp8": recipe.quantize_base == "none" and not recipe.stages[0].trains_base,
        "optimizer.eight_bit=true": not recipe.optimizer.eight_bit,
    }
    return (
        "try " + ", ".join(name for name, open_ in remedies.items() if open_) if any(remedies.values()) else "too much"
    )


_FLUX_PARTS = ("transformer/config.json", "vae/config.json", "text_encoder/config.json", "text_encoder_2/config.json")
_FLUX_FOLDERS = ("tokenizer", "tokenizer_2")


def _missing_from_base(recipe: Recipe, base: Path | None) -> list[str]:
    if preset(recipe.preset).family == "world":
        return _missing_weights_of_world(recipe, base)
    if base is None:
        return [f"the base: give the folder of {recipe.preset} as --base"]
    if not base.is_dir():
        return [f"the base's folder {base}"]
    missing = [f"{base / part}" for part in (*_FLUX_PARTS, *_FLUX_FOLDERS) if not (base / part).exists()]
    return missing + [str(path) for part in _FLUX_PARTS for path in _missing_weights((base / part).parent)]


def _missing_weights_of_world(recipe: Recipe, base: Path | None) -> list[str]:
    if base is not None:
        return [] if base.is_file() else [f"the base's weights {base}"]
    if not recipe.stages[0].trains_base:
        try:
            packaged_base(recipe.preset)
        except FileNotFoundError as error:
            return [str(error)]
    return []


def _missing_weights(folder: Path) -> list[Path]:
    """The files of weights that a folder's index names and that are not there; without an index, there is one."""
    indices = sorted(folder.glob("*.safetensors.index.json"))
    if not indices:
        return [] if any(folder.glob("*.safetensors")) else [folder / "*.safetensors"]
    names = sorted(set(json.loads(indices[0].read_text())["weight_map"].values()))
    return [folder / name for name in names if not (folder / name).is_file()]


def _missing_from_stages_before(recipe: Recipe, stages: Sequence[int], folder: Path) -> list[str]:
    """The files of the experts that the first of the stages stands on."""
    if not stages:
        return []
    first = min(stages)
    before = recipe.num_experts(first) - recipe.stages[first].new_expert
    if not before:
        return []
    names = [INDEX, *(f"expert-{number}.safetensors" for number in range(before)), f"router-{before - 1}.safetensors"]
    return [
        f"{folder / ADAPTER / name} (train the stages before {recipe.stages[first].task} first)"
        for name in names
        if not (folder / ADAPTER / name).is_file()
    ]
