"""A run from its folder: which stage comes next, where it goes on, and that two recipes never share a folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from cologen.model.files import write_atomically
from cologen.trainer.checkpoint import ADAPTER, CHECKPOINTS, Checkpoint, latest_checkpoint
from cologen.trainer.curriculum import Recipe
from cologen.trainer.overrides import differences, read_recipe

RECIPE, FINISHED, STANDS_ON = "recipe.json", "finished.json", "base.json"


def begin(folder: Path, recipe: Recipe, *, resume: bool, fresh: bool) -> None:
    """Have the folder ready: new, emptied (``fresh``), or that of the same recipe, to go on with (``resume``).

    Raises:
        ValueError: it holds a run, and neither was asked for; or one of another recipe.
    """
    if fresh and (folder / RECIPE).is_file():  # only ever a run's own folder
        shutil.rmtree(folder)
    if (folder / RECIPE).is_file():
        if not resume:
            raise ValueError(
                f"{folder} holds a run: --resume goes on with it, --fresh starts over, --out goes elsewhere"
            )
        if changed := differences(read_recipe(folder / RECIPE), recipe):
            raise ValueError(
                f"{folder} holds the run of another recipe:\n  "
                + "\n  ".join(changed)
                + "\nPut that back, choose another --out, or start over with --fresh."
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / RECIPE, (recipe.model_dump_json(indent=1) + "\n").encode())


def stand_on(folder: Path, fingerprint: str) -> None:
    """Remember the base of a run; what was trained on one fits no other, even of the same shape.

    Raises:
        ValueError: the run stands on another base.
    """
    path = folder / STANDS_ON
    if not path.is_file():
        write_atomically(path, (json.dumps(fingerprint) + "\n").encode())
    elif json.loads(path.read_text()) != fingerprint:
        raise ValueError(
            f"{folder} holds experts of another base than this one: give the same --base, or another --out"
        )


def finished_stages(folder: Path) -> set[int]:
    """The numbers of the stages that were trained to their end here."""
    path = folder / FINISHED
    return set(json.loads(path.read_text())) if path.is_file() else set()


def finish_stage(folder: Path, number: int) -> None:
    """Remember that a stage was trained to its end."""
    write_atomically(folder / FINISHED, (json.dumps(sorted(finished_stages(folder) | {number})) + "\n").encode())


def stages_to_train(folder: Path, recipe: Recipe, stage: str | None) -> list[int]:
    """The stages that are still to be trained, in order, or the one that was asked for.

    Raises:
        ValueError: there is no such stage.
        FileNotFoundError: the one that was asked for stands on a stage that has not been trained here.
    """
    finished = finished_stages(folder)
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
