"""A run from its options: its recipe, data and base are opened, its folder is entered, and its stages are trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from cologen.datagen.engine.cluster import Cluster
from cologen.model.gpus import gpu_named
from cologen.model.text import TextEncoder
from cologen.reports.printable import console
from cologen.trainer.branching import Branch, branch, branch_off, branched_from
from cologen.trainer.data.held_out import HeldOutRows, open_held_out
from cologen.trainer.data.loading import Loading, StageSamples, open_stage
from cologen.trainer.data.online import OnlineControl
from cologen.trainer.data.prompts import prompts_of
from cologen.trainer.data.world import WORLD, ensure_manifests
from cologen.trainer.distributed import Processes, joined
from cologen.trainer.dry_run.estimates import Setup, operations_per_sample
from cologen.trainer.dry_run.forecast import forecast_run
from cologen.trainer.dry_run.tables import rendered
from cologen.trainer.loop.bases import open_base
from cologen.trainer.loop.checkpoint import ADAPTER, BASE
from cologen.trainer.loop.measures import measures_of
from cologen.trainer.loop.run import Run
from cologen.trainer.loop.stage import train_stage
from cologen.trainer.loop.stopping import stopped_by_signals
from cologen.trainer.loop.stored_text import reader, require_stored, stored_text
from cologen.trainer.loop.watcher import Watcher, Watchers
from cologen.trainer.options import TrainOptions
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
from cologen.trainer.watchers.held_out_grids import HeldOutGrids
from cologen.trainer.watchers.machine import machine_of
from cologen.trainer.watchers.progress import LiveProgress
from cologen.trainer.watchers.report import REPORT, Reports
from cologen.trainer.watchers.tracking import Tracker

CONSOLE = console()


def train(options: TrainOptions) -> int:
    """Train, or print the forecast; return the exit code of a run that ended or was stopped without an error."""
    recipe = load_recipe(options.recipe, options.set)
    folder = options.run.out or Path("runs") / recipe.name
    manifests = recipe.manifests_of(range(len(recipe.stages)))
    if unknown := options.data.roots.keys() - manifests:
        raise ValueError(
            f"--root names {', '.join(sorted(unknown))}; the recipe's manifests are {', '.join(manifests)}"
        )
    if options.forecast.dry_run:
        return _forecast(options, recipe, folder)
    with (
        joined(options.machine.device, timedelta(minutes=options.machine.wait_minutes)) as processes,
        ExitStack() as stack,
    ):

        def prepare() -> None:
            stack.enter_context(held(folder))
            _refuse_entry(options, recipe, folder)
            if recipe.held_out is not None:
                measures_of(recipe.held_out)  # a name that is not installed is said before anything is built
            _have_data(options, recipe)

        processes.first_does(prepare, "preparing the run's data")
        return _train(options, recipe, folder, processes, stack)


def _forecast(options: TrainOptions, recipe: Recipe, folder: Path) -> int:
    """Print what the run needs and what is missing; the exit code is 1 if it could not begin."""
    branched = _branch(options, recipe, folder)
    if options.stage is None:
        finished = set[int]() if options.run.fresh else branched.finished if branched else None
        stages = stages_to_train(folder, recipe, None, finished=finished)
    else:  # the stages before it may be missing too
        stages = [recipe.stages.index(recipe.stage(options.stage))]
    setup = Setup(
        gpu=gpu_named(options.forecast.gpu),
        num_gpus=options.forecast.gpus,
        sharded=options.machine.strategy == "fsdp",
        utilization=options.forecast.utilization,
    )
    plan = forecast_run(
        recipe,
        stages,
        data=options.data.folder,
        base=options.base,
        folder=folder,
        setup=setup,
        parent=branched.run if branched else None,
        refusals=_refusals(options, recipe, folder),
        roots=options.data.roots,
        weights={"hed": options.online.hed_weights, "lineart": options.online.lineart_weights},
        wandb=options.run.wandb,
    )
    CONSOLE.print(rendered(plan), crop=False)
    return 0 if plan.ready else 1


def _refuse_entry(options: TrainOptions, recipe: Recipe, folder: Path) -> None:
    """Raise an error if the run cannot use the folder, before anything is built; checked again when the run begins."""
    entry(folder, recipe, resume=options.run.resume, fresh=options.run.fresh, stage=options.stage)
    _branch(options, recipe, folder)


def _refusals(options: TrainOptions, recipe: Recipe, folder: Path) -> list[str]:
    """Why a run cannot begin or continue in its folder; nothing is written."""
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
    """Where the run branches off; None if it does not, or has done so already."""
    if options.run.branch is None:
        return None
    if (folder / RECIPE).is_file():
        if branched_from(options.run.branch, folder):
            return None
        raise ValueError(f"{folder} holds a run that did not branch off from {options.run.branch}: give another --out")
    found = branch(options.run.branch, recipe, folder)
    number = found.checkpoint.progress.stage
    if options.stage is not None and recipe.stages.index(recipe.stage(options.stage)) != number:
        raise ValueError(
            f"--from goes on in stage {number} ({recipe.stages[number].task}), with {found.checkpoint.folder}: "
            f"--stage {options.stage} is another"
        )
    return found


def _have_data(options: TrainOptions, recipe: Recipe) -> None:
    """Build the synthetic dataset's manifests if they are missing; other recipes name missing data when they open
    it."""
    if recipe.preset.startswith("world"):
        names = recipe.manifests_of(range(len(recipe.stages)))
        ensure_manifests(options.data.folder, names, WORLD, CONSOLE.print, workers=os.cpu_count() or 1)


def _train(options: TrainOptions, recipe: Recipe, folder: Path, processes: Processes, stack: ExitStack) -> int:
    branched = _branch(options, recipe, folder)
    finished = set[int]() if options.run.fresh else branched.finished if branched else None
    numbers = stages_to_train(folder, recipe, options.stage, finished=finished)
    if not numbers:
        _say(processes, f"Nothing is left to train: {folder / REPORT} shows what was.")
        return 0
    text = _text_made_ahead(options, recipe, numbers, processes)
    bundle, fingerprint = open_base(recipe, options.base, processes.device, text)
    if not options.run.fresh:
        refuse_other_base(folder, fingerprint)
    stopping = stack.enter_context(stopped_by_signals())

    def opened(number: int) -> tuple[StageSamples, HeldOutRows | None]:
        roots, made = options.data.roots, loading(options)
        samples = open_stage(recipe, number, options.data.folder, roots=roots, loading=made)
        return samples, open_held_out(recipe, number, options.data.folder, samples, roots=roots, loading=made)

    first = opened(numbers[0])
    operations = {number: operations_per_sample(recipe, number) for number in numbers}
    machine = machine_of(processes, operations)
    tracker = stack.enter_context(
        Tracker(folder, recipe, processes, wandb=options.run.wandb, fresh=options.run.fresh, machine=machine)
    )

    def enter() -> None:
        # Only now, after everything that could fail: a folder that holds a run refuses any other.
        if branched is not None:
            branch_off(folder, recipe, branched, bundle.transformer, fingerprint)
            found = branched.found
        else:
            found = begin(folder, recipe, resume=options.run.resume, fresh=options.run.fresh, stage=options.stage)
            stand_on(folder, fingerprint)
        for change in found:
            _say(processes, f"Changed: {change}")

    processes.first_does(enter, f"beginning the run in {folder}")
    watchers: list[Watcher] = [Grids(folder, recipe, processes), HeldOutGrids(folder, recipe, processes), tracker]
    watchers.append(Reports(folder, recipe, processes))
    if processes.first:
        watchers.append(stack.enter_context(LiveProgress(recipe, numbers, CONSOLE, machine=machine)))
    run = Run(
        folder=folder,
        recipe=recipe,
        bundle=bundle,
        processes=processes,
        strategy=options.machine.strategy,
        watcher=Watchers(watchers),
    )
    for number in numbers:
        samples, held_out = first if number == numbers[0] else opened(number)
        if not train_stage(run, number, samples, where_to_go_on(folder, number), stopping, held_out):
            _say(processes, f"Stopped and saved in {folder}: the same command with --resume goes on.")
            return 0
        processes.first_does(lambda number=number: finish_stage(folder, number), "finishing a stage")
    made = BASE if recipe.stages[0].trains_base else ADAPTER
    _say(processes, f"Done. {folder / REPORT} shows the run, {folder / made} is what it made.")
    return 0


def _text_made_ahead(
    options: TrainOptions, recipe: Recipe, numbers: Sequence[int], processes: Processes
) -> TextEncoder | None:
    """What reads the stored text embeddings, where the recipe asks for them; every prompt is looked for first."""
    if not recipe.stored_text:
        return None
    kept = stored_text(recipe, options.base, options.data.folder)

    def look() -> None:
        require_stored(kept, prompts_of(recipe, numbers, options.data.folder))

    processes.first_does(look, "looking for the stored text embeddings")
    return reader(kept, processes.device)


def _say(processes: Processes, line: str) -> None:
    if processes.first:
        CONSOLE.print(line)


def loading(options: TrainOptions) -> Loading:
    """Where batches are made."""
    online = OnlineControl(
        hed=options.online.hed_weights,
        lineart=options.online.lineart_weights,
        num_actors=options.online.control_workers,
        gpus_per_actor=options.online.control_gpus,
        cluster=Cluster(address=options.online.address),
    )
    return Loading(num_workers=options.data.workers, online=online)
