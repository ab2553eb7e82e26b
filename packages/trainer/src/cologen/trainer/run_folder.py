"""A run's folder: the next stage, the checkpoint to continue from, allowed changes, and the lock.

RUN/recipe.json      the recipe that the run goes on with
RUN/changes.jsonl    what was changed in it since the run began: a line for each field
RUN/finished.json    the numbers of the stages that were trained to their end
RUN/base.json        the fingerprint of the base that the experts belong to
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Generator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path

from cologen.datagen.manifest.folder import LOCK_NAME, Folder
from cologen.trainer.changes import Change, another_run, changes, record, refused
from cologen.trainer.json_files import read_sealed, write_sealed
from cologen.trainer.loop.checkpoint import (
    ADAPTER,
    CHECKPOINTS,
    Checkpoint,
    checkpoint_folders,
    latest_checkpoint,
    newest_name,
    stage_of,
)
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.overrides import read_recipe

RECIPE, FINISHED, STANDS_ON = "recipe.json", "finished.json", "base.json"

_TEMPORARY = {
    ".": re.compile(r"\.[a-z_]+\.(json|jsonl|html|safetensors)\.[0-9a-f]{8}"),
    CHECKPOINTS: re.compile(r"\.\d+-[a-z_]+-\d{8,}\.[0-9a-f]{8}"),
    ADAPTER: re.compile(r"\.(adapter\.json|(expert|router)-\d+\.safetensors)\.[0-9a-f]{8}"),
}
"""The temporary names of files and checkpoints that are not complete, by their folder inside the run's."""


@contextmanager
def held(folder: Path) -> Generator[None, None, None]:
    """Lock the folder against training by another process, until the block or this process ends.

    Incomplete files of a killed process are deleted.

    Raises:
        ValueError: another process trains there; the message names it. Or the folder cannot be written.
    """
    opened = Folder.open(folder)
    opened.create()
    with opened.locked("training in"):
        _sweep(folder)
        yield


def begin(folder: Path, recipe: Recipe, *, resume: bool, fresh: bool, stage: str | None = None) -> list[Change]:
    """Prepare the folder for the first step: new, emptied (``fresh``), or continued (``resume``).

    Returns:
        The allowed changes of the recipe since the run was saved, which are now recorded.

    Raises:
        ValueError: see ``entry``.
    """
    found = entry(folder, recipe, resume=resume, fresh=fresh, stage=stage)
    if fresh and (folder / RECIPE).is_file():  # only ever a run's own folder
        _empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    record(folder, found, after=newest_name(folder))
    write_sealed(folder / RECIPE, recipe.model_dump(mode="json"))
    return found


def entry(folder: Path, recipe: Recipe, *, resume: bool, fresh: bool, stage: str | None = None) -> list[Change]:
    """The changes of the recipe, if the run in the folder were continued with it; nothing is written.

    Args:
        stage: the stage that was asked for, if one was. One that was not begun is entered without ``resume``.

    Raises:
        ValueError: the folder holds a run, and neither was asked for; or what changed in the recipe may not change.
    """
    if fresh or not (folder / RECIPE).is_file():
        return []
    asked = None if stage is None else recipe.stages.index(recipe.stage(stage))
    started = {stage_of(each) for each in checkpoint_folders(folder)}
    if not resume and (asked is None or asked in started | finished_stages(folder)):
        raise ValueError(f"{folder} holds a run: --resume goes on with it, --fresh starts over, --out goes elsewhere")
    finished = max(finished_stages(folder), default=-1) + 1
    found = changes(
        read_recipe(folder / RECIPE).model_dump(mode="json"),
        recipe.model_dump(mode="json"),
        finished=finished,
        begun=max(finished, *(number + 1 for number in started), 0),
    )
    wrong = refused(found, remedies=False)
    if wrong and _stopped_nonfinite(folder):
        wrong = refused(found, remedies=True)
    if wrong:
        raise another_run(f"{folder} holds the run of another recipe", folder, wrong, found)
    return found


def stand_on(folder: Path, fingerprint: str) -> None:
    """Record the base of a run: adapters fit only the base they were trained on.

    Raises:
        ValueError: the run was trained on another base, or the record of it is damaged.
    """
    path = folder / STANDS_ON
    if not path.is_file():
        write_sealed(path, {"fingerprint": fingerprint})
    else:
        refuse_other_base(folder, fingerprint)


def refuse_other_base(folder: Path, fingerprint: str) -> None:
    """See ``stand_on``; a run that does not exist yet has no base."""
    path = folder / STANDS_ON
    if path.is_file() and read_sealed(path).get("fingerprint") != fingerprint:
        raise ValueError(
            f"{folder} holds experts of another base than this one: give the same --base, or another --out"
        )


def finished_stages(folder: Path) -> set[int]:
    """The numbers of the stages that were trained to their end here.

    Raises:
        ValueError: the file that lists them is damaged.
    """
    path = folder / FINISHED
    return set(read_sealed(path)["stages"]) if path.is_file() else set()


def finish_stage(folder: Path, number: int) -> None:
    """Record that a stage was trained to its end."""
    write_sealed(folder / FINISHED, {"stages": sorted(finished_stages(folder) | {number})})


def stages_to_train(
    folder: Path, recipe: Recipe, stage: str | None, *, finished: AbstractSet[int] | None = None
) -> list[int]:
    """The stages that are still to be trained, in order, or the one that was asked for.

    Args:
        finished: the stages that will be finished when the run begins, if not those that are now.

    Raises:
        ValueError: there is no such stage.
        FileNotFoundError: the one that was asked for stands on a stage that has not been trained here.
    """
    finished = finished_stages(folder) if finished is None else finished
    if stage is None:
        return [number for number in range(len(recipe.stages)) if number not in finished]
    number = recipe.stages.index(recipe.stage(stage))
    if missing := [before for before in range(number) if before not in finished]:
        raise FileNotFoundError(
            f"stage {number} ({recipe.stages[number].task}) stands on stage {missing[0]} "
            f"({recipe.stages[missing[0]].task}), which has not been trained in {folder}: train it first, "
            f"or copy its run's {ADAPTER}/, {FINISHED} and {STANDS_ON} there"
        )
    return [] if number in finished else [number]


def where_to_go_on(folder: Path, number: int) -> Checkpoint | None:
    """The newest whole checkpoint of a stage; None: from its beginning."""
    return latest_checkpoint(folder, stage=number) if (folder / CHECKPOINTS).is_dir() else None


def _stopped_nonfinite(folder: Path) -> bool:
    newest = latest_checkpoint(folder)
    return newest is not None and newest.progress.stopped_nonfinite


def _empty(folder: Path) -> None:
    """Delete everything except the lock and files of other programs."""
    for path in folder.iterdir():
        if path.name not in (LOCK_NAME, "wandb"):  # of Weights & Biases, whose run has begun already
            _delete(path)


def _sweep(folder: Path) -> None:
    """Delete files and folders with temporary names; the lock makes sure that no other process writes them.

    It looks only where a run writes, and only in a run's folder: other files there are not touched.
    """
    if (folder / RECIPE).is_file():
        for place, names in _TEMPORARY.items():
            for path in [each for each in (folder / place).glob(".*") if names.fullmatch(each.name)]:
                _delete(path)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
