"""A new run that branches off from a checkpoint of another: ``--from RUN``, ``--from RUN@grounding:150``.

The finished stages, the base's fingerprint, the log and the checkpoint are copied; the other run stays as it is. The
fields that decide the shape of weights and the finished stages have to be the same; all others may differ.

    RUN/parent.json    the run and the checkpoint that this one branched off from
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from cologen.model.adapters import load_adapter, save_adapter
from cologen.model.transformer import WovenTransformer
from cologen.trainer.changes import Change, another_run, changes, record
from cologen.trainer.json_files import read_sealed, write_sealed
from cologen.trainer.loop.checkpoint import (
    ADAPTER,
    CHECKPOINTS,
    Checkpoint,
    checkpoint_folders,
    copy_checkpoint,
    latest_checkpoint,
    read_checkpoint,
    stage_of,
    step_of,
)
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.effects import Effect
from cologen.trainer.run_folder import RECIPE, finish_stage, finished_stages, refuse_other_base, stand_on
from cologen.trainer.watchers.grids import SAMPLES
from cologen.trainer.watchers.metrics import HELD_OUT, METRICS, ROUTING

PARENT = "parent.json"


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a run branches off: a checkpoint of another run, and that one's ``finished`` stages before it."""

    run: Path
    checkpoint: Checkpoint
    finished: frozenset[int]
    found: tuple[Change, ...]
    """The fields of the recipe that differ in the new run."""


def branch(place: str, recipe: Recipe, folder: Path) -> Branch:
    """Find the checkpoint at ``place`` (RUN, RUN@STEP, RUN@STAGE:STEP or RUN@NAME); nothing is written.

    Args:
        recipe: that of the new run.
        folder: of the new run.

    Raises:
        FileNotFoundError: there is no such run or checkpoint; those that there are are named.
        ValueError: the checkpoint is damaged, or the recipe has weights of another shape, other finished stages, or
            fewer steps than were done.
    """
    run, wanted = _parted(place)
    if run.resolve() == folder.resolve():
        raise ValueError(f"a new run cannot branch off into the folder of its parent, {run}: give another --out")
    checkpoint = _found(run, wanted)
    before = checkpoint.progress
    finished = frozenset(number for number in finished_stages(run) if number < before.stage)
    found = changes(before.recipe, recipe.model_dump(mode="json"), finished=before.stage, begun=before.stage + 1)
    if wrong := [change for change in found if change.effect is Effect.SHAPE]:
        advice = "Put that back, or begin a run of its own, without --from: no branch can have other weights."
        raise another_run(f"{checkpoint.folder} holds weights of another recipe", run, wrong, found, advice)
    stage = recipe.stages[before.stage]
    if stage.iterations < before.step:
        raise ValueError(
            f"stages.{stage.task}.iterations is {stage.iterations}, and {checkpoint.folder} has {before.step} steps: "
            "raise it, or branch off from an earlier checkpoint"
        )
    return Branch(run, checkpoint, finished, tuple(found))


def branched_from(place: str, folder: Path) -> bool:
    """Whether the run in a folder branched off at ``place``, according to the record in that folder.

    It has its own copy of the checkpoint: the other run may have deleted that one since, or be gone.

    Raises:
        ValueError: the file that says so is damaged.
    """
    path = folder / PARENT
    if not path.is_file():
        return False
    parent = read_sealed(path)
    checkpoint = Path(parent["checkpoint"])
    run, _, wanted = place.rpartition("@")
    return parent["run"] == str(Path(place).resolve()) or (
        parent["run"] == str(Path(run).resolve()) and _is_meant(checkpoint, wanted, stage_of(checkpoint))
    )


def branch_off(folder: Path, recipe: Recipe, found: Branch, model: WovenTransformer, fingerprint: str) -> None:
    """Begin the new run in ``folder``; its recipe is written last. The model's experts are overwritten.

    Raises:
        ValueError: the other run was trained on another base, or its adapter is damaged.
    """
    refuse_other_base(found.run, fingerprint)
    stand_on(folder, fingerprint)
    for number in sorted(found.finished):
        load_adapter(model, found.run / ADAPTER, stage=recipe.num_experts(number) - 1, dtype=torch.float32)
        save_adapter(model, folder / ADAPTER, notes={"recipe": recipe.name})
        finish_stage(folder, number)
    for log in (METRICS, ROUTING, HELD_OUT):  # cut after the checkpoint, when the stage begins
        if (found.run / log).is_file():
            shutil.copyfile(found.run / log, folder / log)
    for number in range(found.checkpoint.progress.stage + 1):
        for picture in (found.run / SAMPLES).glob(f"{number}-*"):
            (folder / SAMPLES).mkdir(exist_ok=True)
            shutil.copyfile(picture, folder / SAMPLES / picture.name)
    write_sealed(folder / PARENT, _parent(found))
    record(folder, found.found, after=found.checkpoint.progress.name)
    # Its rows may be drawn by another plan, so no plan is stored to compare with.
    progress = replace(
        found.checkpoint.progress, recipe=recipe.model_dump(mode="json"), plan={}, stopped_nonfinite=False
    )
    copy_checkpoint(found.checkpoint, folder, progress)
    write_sealed(folder / RECIPE, recipe.model_dump(mode="json"))


def _parent(found: Branch) -> dict[str, str]:
    return {"run": str(found.run.resolve()), "checkpoint": found.checkpoint.progress.name}


def _parted(place: str) -> tuple[Path, str]:
    """RUN and what comes after its @, which a folder's own name may hold too."""
    run, _, wanted = place.rpartition("@")
    if Path(place).is_dir() or not run:
        return Path(place), ""
    return Path(run), wanted


def _found(run: Path, wanted: str) -> Checkpoint:
    folders = checkpoint_folders(run)
    if not folders:
        raise FileNotFoundError(f"no checkpoint to branch off from in {run / CHECKPOINTS}: --from takes a run's folder")
    if not wanted:
        newest = latest_checkpoint(run)
        assert newest is not None
        return newest
    matching = [folder for folder in folders if _is_meant(folder, wanted, stage_of(folders[-1]))]
    if not matching:
        raise FileNotFoundError(
            f"{run} has no checkpoint {wanted}; it has {', '.join(folder.name for folder in folders)}. Name one of "
            "them, STAGE:STEP, or a STEP of the newest stage."
        )
    return read_checkpoint(matching[0])


def _is_meant(folder: Path, wanted: str, newest: int) -> bool:
    number, task = stage_of(folder), folder.name.partition("-")[2].rpartition("-")[0]
    parted = re.fullmatch(r"(?:(.+):)?(\d+)", wanted)
    if parted is None:
        return folder.name == wanted
    stage, step = parted[1] or str(newest), int(parted[2])
    return step == step_of(folder) and stage in (str(number), task)
