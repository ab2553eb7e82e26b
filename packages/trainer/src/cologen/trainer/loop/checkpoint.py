"""The checkpoints in a run's folder, and the end result of each stage: how they are named, found, checked and deleted.

    RUN/checkpoints/1-grounding-00000150/   state.json, adapter/ or base.safetensors, training.safetensors
    RUN/adapter/                            the finished stages, for inference: the moving average of each

A checkpoint gets its name when it is complete, holds the hash of each of its files, and can be resumed on any number of
processes. It stores no random states, since all random numbers come from the seed and a sample's place in the plan.
"""

from __future__ import annotations

import logging
import re
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cologen.datagen.model_files import sha256_of
from cologen.model.files import sync
from cologen.trainer.json_files import read_sealed, write_sealed

_log = logging.getLogger(__name__)

VERSION = 2
CHECKPOINTS, ADAPTER, STATE, TRAINING, BASE = (
    "checkpoints",
    "adapter",
    "state.json",
    "training.safetensors",
    "base.safetensors",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProgress:
    """How far a run has come: ``step`` optimizer steps of stage number ``stage`` are done."""

    stage: int
    task: str
    step: int
    recipe: Mapping[str, Any]
    plan: Mapping[str, Any]
    """The facts of the stage's plan, compared when the run continues. Empty where a run branched off, which may draw
    other rows."""
    num_skipped: int
    num_failed: int
    stopped_nonfinite: bool = False
    """Whether the run stopped here for losses or gradients that were not finite."""

    @property
    def name(self) -> str:
        """The name of the checkpoint's folder; names sort by age."""
        return f"{self.stage}-{self.task}-{self.step:08d}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint on disk."""

    folder: Path
    progress: StageProgress


def copy_checkpoint(checkpoint: Checkpoint, run: Path, progress: StageProgress) -> None:
    """Copy a checkpoint into another run, with that run's ``progress``.

    Raises:
        OSError: it could not be written.
    """

    def fill(folder: Path) -> None:
        shutil.copytree(checkpoint.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(STATE))

    commit(run / CHECKPOINTS / progress.name, progress, fill)


def commit(folder: Path, progress: StageProgress, fill: Callable[[Path], None]) -> None:
    """Write the folder atomically: ``fill`` makes the files in a temporary one, which is then renamed."""
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    beside.mkdir(parents=True)
    try:
        fill(beside)
        hashes = {
            str(path.relative_to(beside)): sha256_of(path) for path in sorted(beside.rglob("*")) if path.is_file()
        }
        write_sealed(beside / STATE, {"version": VERSION, **asdict(progress), "files": hashes})
        for path in (*beside.rglob("*"), beside):
            sync(path)
        if folder.exists():  # the same step was saved before the run went back to an earlier checkpoint
            shutil.rmtree(folder)
        beside.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def read_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint in a folder, each of its files compared with the hash that was written.

    Raises:
        OSError: one of its files cannot be read.
        ValueError: it is damaged, or of another version.
    """
    state = read_sealed(folder / STATE)
    if state.pop("version", None) != VERSION:
        raise ValueError("made by another version")
    for name, expected in state.pop("files").items():
        if sha256_of(folder / name) != expected:
            raise ValueError(f"{name} is not what was written")
    progress = StageProgress(**state)
    if progress.name != folder.name:
        raise ValueError(f"its files are those of {progress.name}")
    return Checkpoint(folder, progress)


def latest_checkpoint(run: Path, *, stage: int | None = None) -> Checkpoint | None:
    """The newest complete checkpoint (of ``stage``); damaged ones are named in the log and skipped.

    Raises:
        ValueError: there are some, and all of them are damaged.
    """
    folders = [each for each in reversed(checkpoint_folders(run)) if stage in (None, stage_of(each))]
    for folder in folders:
        try:
            return read_checkpoint(folder)
        except (ValueError, OSError) as error:
            _log.warning("%s is damaged (%s): going back to the one before", folder, error)
    if folders:
        raise ValueError(f"all {len(folders)} checkpoints in {run / CHECKPOINTS} are damaged: start over with --fresh")
    return None


def checkpoint_folders(run: Path) -> list[Path]:
    """The folders of a run's checkpoints, whole or damaged, in the order in which they were made."""
    found = [each for each in (run / CHECKPOINTS).glob("*") if _NAME.fullmatch(each.name) and each.is_dir()]
    return sorted(found, key=lambda folder: (stage_of(folder), step_of(folder)))


def newest_name(run: Path) -> str | None:
    """The name of a run's newest checkpoint, whole or damaged; None where there is none."""
    return next((folder.name for folder in reversed(checkpoint_folders(run))), None)


def stage_of(folder: Path) -> int:
    """The number of the stage that a checkpoint is of, by its folder's name."""
    return int(folder.name.partition("-")[0])


def step_of(folder: Path) -> int:
    """How many steps of the stage were done, by the name of a checkpoint's folder."""
    return int(folder.name.rpartition("-")[2])


def prune(run: Path, keep_last: int, iterations: Mapping[int, int]) -> None:
    """Delete all checkpoints but the newest ``keep_last`` and those at the end of a stage."""
    for folder in checkpoint_folders(run)[:-keep_last]:
        if iterations.get(stage_of(folder)) != step_of(folder):
            shutil.rmtree(folder)


_NAME = re.compile(r"\d+-.+-\d{8,}")
