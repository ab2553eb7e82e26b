"""``train``: a recipe's stages one after the other, from manifests to adapters, or what that would take.

``uv run train`` on a fresh machine trains the synthetic world. ``torchrun -m cologen.trainer …`` and ``accelerate
launch -m cologen.trainer …`` start the same in several processes.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import torch
import tyro
from safetensors import SafetensorError

from cologen.datagen.control.annotators import HUB
from cologen.datagen.engine.cluster import Cluster
from cologen.datagen.interrupts import STOPPED, second_one_ends
from cologen.datagen.usage import require_device, require_gpus, require_range
from cologen.reports.printable import LogLines, console
from cologen.trainer.branching import Branch, branch, branch_off, branched_from
from cologen.trainer.data.loading import Loading, StageSamples, open_stage
from cologen.trainer.data.online import OnlineControl
from cologen.trainer.data.world import WORLD, ensure_manifests
from cologen.trainer.distributed import PATIENCE, Processes, Strategy, joined
from cologen.trainer.dry_run.estimates import Setup, gpu_named
from cologen.trainer.dry_run.forecast import plan_run
from cologen.trainer.dry_run.tables import rendered
from cologen.trainer.loop.bases import open_base
from cologen.trainer.loop.checkpoint import ADAPTER, BASE
from cologen.trainer.loop.stage import Run, train_stage
from cologen.trainer.loop.stopping import INTERRUPTED_WORDS, stopped_by_signals
from cologen.trainer.loop.watcher import Watcher, Watchers
from cologen.trainer.recipes.catalog import load_recipe
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.run_folder import (
    RECIPE,
    begin,
    entry,
    finish_stage,
    held,
    refuse_other_base,
    stages_to_train,
    stand_on,
    where_to_go_on,
)
from cologen.trainer.watchers.grids import Grids
from cologen.trainer.watchers.progress import LiveProgress
from cologen.trainer.watchers.report import REPORT, Reports
from cologen.trainer.watchers.tracking import Tracker


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """Train CoLoGen's stages, one after the other.

    Without arguments: the synthetic world, whose manifests are built first if they are not there. Interrupted at any
    time, the same command with --resume goes on with the step it was at.
    """

    recipe: str = "world"
    """A recipe's name (world, world-base, world-small, cologen-flux, world-co-training …), or a .toml file."""
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Something else than the recipe says, by its dotted name: --set stages.control.learning_rate=5e-5."""
    data: Path = Path("data")
    """The folder that holds the manifests; the world's are built here if they are missing."""
    root: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Where a manifest's pictures lie, if not where they lay when it was built: --root inpaint-journeydb=/data/JDB."""
    base: Path | None = None
    """The frozen base: a FLUX folder, or a world preset's weights. Default: the one that comes with the project."""
    out: Path | None = None
    """The run's folder. Default: runs/RECIPE."""
    stage: str | None = None
    """Only this stage, by number or task. Default: all that are not finished."""
    resume: bool = False
    """Go on with the run in this folder, from its newest whole checkpoint; begin if there is none."""
    fresh: bool = False
    """Delete the run in this folder and start over."""
    branch: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """Begin a new run at a checkpoint of another, with another recipe if you like: RUN (its newest checkpoint),
    RUN@STAGE:STEP, or RUN@STEP of its newest stage."""
    dry_run: bool = False
    """Say what would be trained, what it takes and what is missing, and train nothing; the exit code is 1 if anything
    is missing or does not fit. A stage that is begun counts as a whole one."""
    workers: int = 2
    """Processes that decode and render, beside each training process."""
    control_workers: int = 0
    """Ray actors for each online extractor (HED, lineart). Default: in the training process, on its device."""
    control_gpus: float = 0.0
    """GPUs of each such actor."""
    address: str | None = None
    """The Ray cluster of these actors. Default: this machine."""
    hed_weights: str = HUB
    """ControlNetHED.pth, the folder that holds it, or a name on the hub; needed where a manifest has online HED."""
    lineart_weights: str = HUB
    """sk_model.pth, likewise."""
    device: str = "auto"
    """cpu, cuda, or auto: the GPU where there is one."""
    strategy: Strategy = "ddp"
    """Of several processes: each holds the whole model (ddp), or a share of it (fsdp)."""
    wait_minutes: float = PATIENCE.total_seconds() / 60
    """How long the other processes wait while the first one builds data, opens manifests or writes files."""
    wandb: bool = False
    """Log to Weights & Biases too."""
    gpu: str = "h100"
    """With --dry-run: the GPU whose hours and memory are estimated."""
    gpus: int = 1
    """With --dry-run: how many of them."""
    utilization: float = 0.45
    """With --dry-run: the share of the GPU's peak that is reached."""

    def __post_init__(self) -> None:
        if self.resume and self.fresh:
            raise ValueError("--resume goes on and --fresh starts over: give one of them")
        if self.branch and self.fresh:
            raise ValueError("--from begins a new run in an empty folder: give another --out instead of --fresh")
        require_range(self, "workers", "control_workers", least=0)
        require_range(self, "wait_minutes", above=0, most=_YEAR)
        require_range(self, "gpus", least=1)
        require_range(self, "utilization", above=0, most=1)
        require_gpus(self, "control_gpus")
        require_device(self)
        gpu_named(self.gpu)
        if not self.control_workers and (self.control_gpus or self.address is not None):
            raise ValueError("--control-gpus and --address are of --control-workers, of which there are none")
        for each in self.root:
            if not re.fullmatch("[^=]+=.+", each):
                raise ValueError(f"--root takes MANIFEST=FOLDER, got {each!r}")

    @property
    def roots(self) -> dict[str, Path]:
        """Where pictures lie, by the manifest's name."""
        return {name: Path(folder) for name, _, folder in (each.partition("=") for each in self.root)}

    @property
    def loading(self) -> Loading:
        """Who makes the batches."""
        online = OnlineControl(
            hed=self.hed_weights,
            lineart=self.lineart_weights,
            num_actors=self.control_workers,
            gpus_per_actor=self.control_gpus,
            cluster=Cluster(address=self.address),
        )
        return Loading(num_workers=self.workers, online=online)


_YEAR = 366 * 24 * 60
"""In minutes."""

CONSOLE = console()
_ERRORS = console(stderr=True)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 done, or stopped as asked and saved; 1 failed, with one message that says what to do next; 130 interrupted by
    Ctrl-C before it was saved, or by a second Ctrl-C, at once; wrong usage leaves with 2.
    """
    try:
        options = parsed(args)
        logging.basicConfig(level=logging.WARNING, handlers=[LogLines(CONSOLE)])
        with second_one_ends(INTERRUPTED_WORDS):
            return train(options)
    except torch.OutOfMemoryError as error:
        _ERRORS.print(f"Failed: {_out_of_memory(error)}")
    except (ValueError, OSError, RuntimeError, SafetensorError) as error:
        out_of_memory = "can't allocate memory" in str(error)  # as torch says it of a CPU
        _ERRORS.print(f"Failed: {_out_of_memory(error) if out_of_memory else error}")
    except KeyboardInterrupt:
        _ERRORS.print(INTERRUPTED_WORDS)
        return STOPPED
    return 1


def parsed(args: Sequence[str] | None = None) -> TrainOptions:
    """The options that some arguments mean (None: the process's own); wrong ones end the process with 2."""
    return tyro.cli(TrainOptions, args=args, config=(tyro.conf.FlagCreatePairsOff,))


def train(options: TrainOptions) -> int:
    """Train, or plan to; return the exit code of a run that ended, or was stopped, as it should."""
    recipe = load_recipe(options.recipe, options.set)
    folder = options.out or Path("runs") / recipe.name
    manifests = dict.fromkeys(name for stage in recipe.stages for name in stage.manifests)
    if unknown := options.roots.keys() - manifests:
        raise ValueError(
            f"--root names {', '.join(sorted(unknown))}; the recipe's manifests are {', '.join(manifests)}"
        )
    if options.dry_run:
        branched = _branch(options, recipe, folder)
        if options.stage is None:
            finished = set[int]() if options.fresh else branched.finished if branched else None
            stages = stages_to_train(folder, recipe, None, finished=finished)
        else:  # what it stands on is part of what may be missing
            stages = [recipe.stages.index(recipe.stage(options.stage))]
        setup = Setup(
            gpu=gpu_named(options.gpu),
            num_gpus=options.gpus,
            sharded=options.strategy == "fsdp",
            utilization=options.utilization,
        )
        plan = plan_run(
            recipe,
            stages,
            data=options.data,
            base=options.base,
            folder=folder,
            setup=setup,
            parent=branched.run if branched else None,
            refusals=_refusals(options, recipe, folder),
            roots=options.roots,
            weights={"hed": options.hed_weights, "lineart": options.lineart_weights},
            wandb=options.wandb,
        )
        CONSOLE.print(rendered(plan), crop=False)
        return 0 if plan.ready else 1
    with joined(options.device, timedelta(minutes=options.wait_minutes)) as processes, ExitStack() as stack:

        def prepare() -> None:
            stack.enter_context(held(folder))
            _refuse_entry(options, recipe, folder)
            _have_data(options, recipe)

        processes.first_does(prepare, "preparing the run's data")
        return _train(options, recipe, folder, processes, stack)


def _refuse_entry(options: TrainOptions, recipe: Recipe, folder: Path) -> None:
    """Say what is wrong with the folder before anything is made; ``_enter`` asks again."""
    entry(folder, recipe, resume=options.resume, fresh=options.fresh, stage=options.stage)
    _branch(options, recipe, folder)


def _refusals(options: TrainOptions, recipe: Recipe, folder: Path) -> list[str]:
    """Why a run could not begin in its folder, or go on there; nothing is written."""
    home = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not home.is_dir():
        return [f"{home} is a file: choose another --out"]
    if not os.access(home, os.W_OK):
        return [f"{home} cannot be written: choose another --out"]
    try:
        _refuse_entry(options, recipe, folder)
    except (OSError, ValueError) as error:
        return [str(error)]
    return []


def _branch(options: TrainOptions, recipe: Recipe, folder: Path) -> Branch | None:
    """Where the run is to branch off; None where it does not, or has done so already."""
    if options.branch is None:
        return None
    if (folder / RECIPE).is_file():
        if branched_from(options.branch, folder):
            return None
        raise ValueError(f"{folder} holds a run that did not branch off from {options.branch}: give another --out")
    found = branch(options.branch, recipe, folder)
    number = found.checkpoint.progress.stage
    if options.stage is not None and recipe.stages.index(recipe.stage(options.stage)) != number:
        raise ValueError(
            f"--from goes on in stage {number} ({recipe.stages[number].task}), with {found.checkpoint.folder}: "
            f"--stage {options.stage} is another"
        )
    return found


def _have_data(options: TrainOptions, recipe: Recipe) -> None:
    """The world's recipes bring their data along; all others name what is missing when they open it."""
    if recipe.preset.startswith("world"):
        names = dict.fromkeys(name for stage in recipe.stages for name in stage.manifests)
        ensure_manifests(options.data, names, WORLD, CONSOLE.print, workers=os.cpu_count() or 1)


def _train(options: TrainOptions, recipe: Recipe, folder: Path, processes: Processes, stack: ExitStack) -> int:
    branched = _branch(options, recipe, folder)
    finished = set[int]() if options.fresh else branched.finished if branched else None
    numbers = stages_to_train(folder, recipe, options.stage, finished=finished)
    if not numbers:
        _say(processes, f"Nothing is left to train: {folder / REPORT} shows what was.")
        return 0
    bundle, fingerprint = open_base(recipe, options.base, processes.device)
    if not options.fresh:
        refuse_other_base(folder, fingerprint)
    stopping = stack.enter_context(stopped_by_signals())

    def opened(number: int) -> StageSamples:
        return open_stage(recipe, number, options.data, roots=options.roots, loading=options.loading)

    data = opened(numbers[0])
    tracker = stack.enter_context(Tracker(folder, recipe, processes, wandb=options.wandb, fresh=options.fresh))

    def enter() -> None:
        # Only now, since a folder that holds a run is closed to any other: what could go wrong before has not.
        if branched is not None:
            branch_off(folder, recipe, branched, bundle.transformer, fingerprint)
            found = branched.found
        else:
            found = begin(folder, recipe, resume=options.resume, fresh=options.fresh, stage=options.stage)
            stand_on(folder, fingerprint)
        for change in found:
            _say(processes, f"Changed: {change}")

    processes.first_does(enter, f"beginning the run in {folder}")
    watchers: list[Watcher] = [tracker, Grids(folder, recipe, processes), Reports(folder, recipe, processes)]
    if processes.first:
        watchers.append(stack.enter_context(LiveProgress(recipe, numbers, CONSOLE)))
    run = Run(
        folder=folder,
        recipe=recipe,
        bundle=bundle,
        processes=processes,
        strategy=options.strategy,
        watcher=Watchers(watchers),
    )
    for number in numbers:
        data = data if number == numbers[0] else opened(number)
        if not train_stage(run, number, data, where_to_go_on(folder, number), stopping):
            _say(processes, f"Stopped and saved in {folder}: the same command with --resume goes on.")
            return 0
        processes.first_does(lambda number=number: finish_stage(folder, number), "finishing a stage")
    made = BASE if recipe.stages[0].trains_base else ADAPTER
    _say(processes, f"Done. {folder / REPORT} shows the run, {folder / made} is what it made.")
    return 0


def _say(processes: Processes, line: str) -> None:
    if processes.first:
        CONSOLE.print(line)


def _out_of_memory(error: Exception) -> str:
    lower = "lower micro_batch or resolution.side, set gradient_checkpointing=true, or quantize_base=int8 (--set)"
    return f"the device is out of memory: {lower}; --resume goes on. {str(error).splitlines()[0]}"
