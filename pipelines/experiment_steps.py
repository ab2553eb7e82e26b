"""What is done for one run of an experiment: train it, then ask its adapter each task's held-out questions.

Both are the commands that a user would run, each in a process of its own, and continue where they stopped.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from cologen.datagen.interrupts import terminated_like_ctrl_c
from cologen.evaluation.reporting.report import RESULTS
from cologen.evaluation.reporting.results import read_results
from cologen.evaluation.settings import in_words, read_settings, write_settings
from cologen.model.tasks import TASK_NAMES, TaskName
from cologen.model.world_base import packaged_base
from cologen.trainer.data.world import WORLD
from cologen.trainer.json_files import write_sealed
from cologen.trainer.loop.checkpoint import ADAPTER
from cologen.trainer.recipes.overrides import read_recipe
from cologen.trainer.run_folder import RECIPE, finished_stages
from pipelines.experiment_plan import ExperimentName, ExperimentRun, Scale, same_training

_LAST_LINES = 12
_RECIPES, _LOGS, EVALUATIONS, _SETTINGS = "recipes", "logs", "evaluation", "experiment.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all runs of an experiment share; ``out`` holds a folder of each run, and ``data`` the manifests."""

    experiment: ExperimentName
    scale: Scale
    out: Path
    data: Path
    preset: str
    base: Path | None
    """None: the preset's bundled one."""
    num_items: int
    steps: int | None
    edits_seed: int
    threads: int
    device: str

    @property
    def measuring(self) -> dict[str, Any]:
        """What decides the figures of a trained run; all figures of a folder have it in common.

        Raises:
            FileNotFoundError: no base was given, and none comes with the project for this preset.
        """
        base = hashlib.sha256((self.base or packaged_base(self.preset)).read_bytes()).hexdigest()
        return {"items": self.num_items, "steps": self.steps, "edits-seed": self.edits_seed, "base": base}

    @property
    def identity(self) -> dict[str, Any]:
        """What the results of several machines have in common."""
        return {"experiment": self.experiment, "scale": self.scale, **self.measuring}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One benchmark asked of one run after one stage."""

    run: ExperimentRun
    task: TaskName
    stage: int

    def folder(self, out: Path) -> Path:
        """Where its outputs, scores and report are."""
        return out / self.run.name / EVALUATIONS / f"stage-{self.stage}" / self.task


def evaluations(run: ExperimentRun) -> list[Evaluation]:
    """Every task after the last stage, and after the stage that trained it, unless that is the parent's."""
    *before, _ = run.recipe.stages
    own = (
        []
        if run.parent
        else [Evaluation(run, task, number) for number, stage in enumerate(before) for task in stage.own_tasks]
    )
    return [*(Evaluation(run, task, len(before)) for task in TASK_NAMES), *own]


@dataclass(slots=True)
class Children:
    """The processes that are at work, so that a stop reaches them."""

    _running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)
    _stopped: bool = False

    def run(self, command: list[str], log: Path, threads: int) -> None:
        """Run a command to its end, what it says going to ``log``.

        Raises:
            RuntimeError: it failed; the message ends with the log's last lines.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
        with log.open("ab") as file:
            with self._lock:
                if self._stopped:
                    return
                # A session of its own: Ctrl-C reaches it once, through ``stop``.
                process = subprocess.Popen(
                    command, stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True
                )
                self._running.add(process)
            code = process.wait()
            with self._lock:
                self._running.discard(process)
        if code and not self._stopped:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
            raise RuntimeError(f"{' '.join(command[1:4])} … ended with {code}. The end of {log}:\n{last}")

    def stop(self) -> None:
        """Ask all processes to save and end, and start no other."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()  # SIGINT may be ignored: shells start what runs in the background so


@contextmanager
def at_work(jobs: int) -> Generator[tuple[ThreadPoolExecutor, Children]]:
    """Threads for ``jobs`` processes side by side; leaving the block by an error, Ctrl-C or SIGTERM stops these."""
    children = Children()
    with terminated_like_ctrl_c(), ThreadPoolExecutor(jobs) as pool:
        try:
            yield pool, children
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            children.stop()
            raise


def settle(setting: Setting) -> None:
    """Keep what decides the figures beside them.

    Raises:
        ValueError: those that are there were measured otherwise.
    """
    file = setting.out / _SETTINGS
    if file.is_file() and (words := in_words(read_settings(file), setting.measuring)):
        raise ValueError(f"{setting.out} was measured otherwise ({words}): ask for the same, or give another --out")
    write_settings(file, setting.measuring)


def train_run(run: ExperimentRun, setting: Setting, children: Children) -> bool:
    """Train a run to its end; returns whether anything was left to train.

    Raises:
        RuntimeError: training failed, was stopped, or is of another recipe.
    """
    folder = setting.out / run.name
    if is_trained(run, setting.out):
        return False
    recipe = setting.out / _RECIPES / f"{run.name}.json"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    write_sealed(recipe, run.recipe.model_dump(mode="json"))
    command = [
        sys.executable, "-m", "cologen.trainer", "--recipe", str(recipe), "--data", str(setting.data),
        "--out", str(folder), "--resume", "--workers", "1",
    ]  # fmt: skip
    if setting.base is not None:
        command += ["--base", str(setting.base)]
    if run.parent is not None:
        command += ["--from", f"{setting.out / run.parent}@{run.begins_at}"]
    children.run(command, setting.out / _LOGS / f"{run.name}.log", setting.threads)
    if not _is_finished(run, folder):
        raise RuntimeError(f"{run.name} was stopped: run the same command again to continue")
    return True


def is_trained(run: ExperimentRun, out: Path) -> bool:
    """Whether all stages of a run are finished, by the recipe that is planned; training refuses another."""
    folder = out / run.name
    return _is_finished(run, folder) and same_training(read_recipe(folder / RECIPE), run.recipe)


def _is_finished(run: ExperimentRun, folder: Path) -> bool:
    return (folder / RECIPE).is_file() and finished_stages(folder) >= set(range(len(run.recipe.stages)))


def evaluate_run(evaluation: Evaluation, setting: Setting, children: Children) -> None:
    """Ask one benchmark of a trained run; nothing is asked again whose results are there and whole."""
    run, folder = evaluation.run, evaluation.folder(setting.out)
    command = [
        sys.executable, "-m", "pipelines.evaluate", "--bench", f"world_{evaluation.task}", "--level", WORLD.level,
        "--adapter", str(setting.out / run.name / ADAPTER), "--stage", str(_expert(run, evaluation.stage)),
        "--limit", str(setting.num_items), "--edits-seed", str(setting.edits_seed), "--preset", run.recipe.preset,
        "--size", str(run.recipe.resolution.side), "--candidates", "model",
        "--device", setting.device, "--out", str(folder),
    ]  # fmt: skip
    if setting.steps is not None:
        command += ["--steps", str(setting.steps)]
    if setting.base is not None:
        command += ["--weights", str(setting.base)]
    if not _is_measured(folder):
        children.run(command, setting.out / _LOGS / f"{run.name}-evaluation.log", setting.threads)


def _is_measured(folder: Path) -> bool:
    if not (folder / RESULTS).is_file():
        return False
    return not any(each.counts.num_problems for each in read_results(folder / RESULTS).candidates.get("model", ()))


def _expert(run: ExperimentRun, stage: int) -> int:
    """The number of the newest expert after a stage, by which adapters are opened."""
    return run.recipe.num_experts(stage) - 1
