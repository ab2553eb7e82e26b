"""The training loop: a stage from its first step, or from where it was left, to its moving average in ``adapter/``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cologen.datagen.review.card import TERMS
from cologen.model.adapters import save_adapter
from cologen.model.bundle import Bundle
from cologen.model.presets import preset
from cologen.trainer.changes import another_run, changes, differences, recorded, refused
from cologen.trainer.data.batch import Batch, StageData
from cologen.trainer.data.draws import draw, given, with_captions_dropped
from cologen.trainer.data.held_out import HeldOutRows
from cologen.trainer.distributed import loaded_into, whole, whole_experts
from cologen.trainer.loop.checkpoint import ADAPTER, BASE, Checkpoint, StageProgress, prune
from cologen.trainer.loop.due import CheckpointDue
from cologen.trainer.loop.encoding import Encoder, Latents
from cologen.trainer.loop.learner import Learner, MicroLoss
from cologen.trainer.loop.loss import Losses, losses
from cologen.trainer.loop.run import Run, computing, learner_of
from cologen.trainer.loop.saving import save_base, save_checkpoint
from cologen.trainer.loop.stopping import Stopping
from cologen.trainer.loop.validator import Validator
from cologen.trainer.recipes.curriculum import Recipe
from cologen.trainer.recipes.stages import Stage


def train_stage(
    run: Run,
    number: int,
    data: StageData,
    checkpoint: Checkpoint | None,
    stopping: Stopping,
    held_out: HeldOutRows | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Train stage ``number`` to its end; False if it was asked to stop before, and has been saved.

    With ``held_out`` rows it validates on the way, which changes nothing of the training. Checkpoints obey ``clock``.

    Raises:
        FileNotFoundError: an earlier stage has not been trained here.
        ValueError: the checkpoint is of another recipe or of other data, or too much went wrong: losses that are not
            finite, samples that cannot be loaded, no room for a checkpoint.
    """
    stage, recipe, processes = run.recipe.stages[number], run.recipe, run.processes
    begin = 0 if checkpoint is None else checkpoint.progress.step
    progress = StageProgress(
        stage=number,
        task=stage.task,
        step=begin,
        recipe=recipe.model_dump(mode="json"),
        plan=data.facts(),
        num_skipped=0,
        num_failed=0 if checkpoint is None else checkpoint.progress.num_failed,
    )
    failed_before = progress.num_failed  # the cause may have been repaired when the run continues
    if checkpoint is not None:
        _refuse_other(run.folder, checkpoint.progress, progress)
    learner = learner_of(run, number, checkpoint)
    encoder = Encoder.of(run.bundle, recipe)
    validator = None if held_out is None else Validator(run, number, learner, encoder, held_out)
    due = CheckpointDue(recipe, processes, clock)
    run.watcher.stage_begins(number, stage, begin)
    if begin < stage.iterations:  # after an interruption too, which may have come before this step's validation
        _validate(run, validator, begin)
    for loaded in data.steps(begin, processes):
        learning_rate = stage.learning_rate_at(loaded.step)
        run.bundle.transformer.newcomer_bias = stage.newcomer_bias_at(loaded.step) if stage.new_expert else 0.0
        batches = [_prompted(batch, recipe, stage) for batch in loaded.micro_batches]
        encoder.step([prompt for batch in batches for prompt in batch.prompts], loaded.next_prompts)
        micro_losses = [_micro_loss(run, learner, encoder, stage, batch) for batch in batches]
        with computing(run, stage):
            report = learner.step(micro_losses, learning_rate)
        failed = round(processes.sum(float(loaded.num_failed)))
        progress = replace(
            progress,
            step=loaded.step + 1,
            num_skipped=learner.num_skipped,
            num_failed=progress.num_failed + failed,
            stopped_nonfinite=learner.num_skipped_in_row > recipe.max_nonfinite,
        )
        run.watcher.step_done(number, loaded, report, learning_rate)
        stop = processes.any(stopping.asked)
        trouble = _trouble(recipe, stage, progress, begin, failed_before, learner.num_skipped_in_row)
        if not (stop or trouble) and progress.step < stage.iterations:
            _validate(run, validator, progress.step)
        if due.at(progress.step) or stop or trouble or progress.step == stage.iterations:
            _save(run, progress, learner)
            due.written()
        if trouble:
            raise ValueError(trouble)
        if stop and progress.step < stage.iterations:
            return False
    if learner.num_skipped >= stage.iterations:
        raise ValueError(
            f"stage {stage.task} learned nothing: in none of its steps were loss and gradient finite. Start over with "
            f"--fresh: {_LOWER}"
        )
    _finish(run, number, learner, validator)
    return True


def _validate(run: Run, validator: Validator | None, step: int) -> None:
    """Before a checkpoint of this step is written, so that a run that goes on from there finds it in its log."""
    if validator is not None and validator.is_due(step):
        run.watcher.validated(validator.validate(step))


def _prompted(batch: Batch, recipe: Recipe, stage: Stage) -> Batch:
    """The batch with some of its captions dropped."""
    prompts = with_captions_dropped(batch.prompts, batch.places, recipe.seed, stage.task, recipe.caption_dropout)
    return replace(batch, prompts=prompts)


def _micro_loss(run: Run, learner: Learner, encoder: Encoder, stage: Stage, batch: Batch) -> MicroLoss:
    def compute() -> tuple[Losses, Sequence[str]]:
        moved = batch.to(run.processes.device)
        latents, prompts = encoder.latents(moved), encoder.prompts(moved.prompts)
        if stage.trains_base:
            latents = latents.as_pair(_given(run, stage, batch))
        draws = draw(
            run.recipe.seed,
            stage.task,
            batch.places,
            latent=latents.drawn,
            routing=_routing_shape(run.bundle, latents),
            device=run.processes.device,
            num_sources=max(1, len(latents.sources)),
        )
        task_experts = _task_experts(run, stage, batch)
        found = losses(learner.model, run.bundle, moved, latents, prompts, draws, task_experts)
        return found, batch.tasks

    return compute


def _task_experts(run: Run, stage: Stage, batch: Batch) -> Tensor | None:
    """The expert of each sample's task, where each task has its gate; None: one gate asks for the newest."""
    if not stage.gate_per_task:
        return None
    experts: dict[str, int] = {**run.recipe.task_experts}
    return torch.tensor([experts[task] for task in batch.tasks], device=run.processes.device)


def _given(run: Run, stage: Stage, batch: Batch) -> Tensor | None:
    """The samples of a batch of pairs whose second picture is given; None: none is."""
    if batch.source is None or stage.scenes is None or not stage.scenes.given_share:
        return None
    found = given(run.recipe.seed, stage.task, batch.places, stage.scenes.given_share)
    return found.to(run.processes.device)


def _routing_shape(bundle: Bundle, latents: Latents) -> tuple[int, ...]:
    """The shape of one source's ε of eq. 2."""
    model: Any = bundle.transformer
    if latents.source is None:
        return (0, 0)
    rows, columns = latents.source.shape[2:]
    tokens = (rows * columns // bundle.preset.patch**2,) if model.config.routing == "token" else ()
    return (model.num_blocks, *tokens, model.num_experts)


def _refuse_other(folder: Path, before: StageProgress, now: StageProgress) -> None:
    """Refuse changes since the checkpoint that are not allowed; the message names them."""
    found = changes(before.recipe, now.recipe, finished=now.stage, begun=now.stage + 1)
    wrong = [
        *refused(found, remedies=before.stopped_nonfinite, accepted=recorded(folder)),
        *(f"data: {each}" for each in differences(before.plan, now.plan) if before.plan),
    ]
    if wrong:
        raise another_run("the run was begun with another recipe or other data", folder, wrong, found)


_LOWER = "lower the learning rate or the clip"


def _trouble(
    recipe: Recipe, stage: Stage, progress: StageProgress, begin: int, failed_before: int, skipped_in_row: int
) -> str | None:
    """Why the stage cannot go on, if so; samples that failed before step ``begin`` are not counted again."""
    if progress.stopped_nonfinite:
        return (
            f"the last {skipped_in_row} steps had a loss or gradient that was not finite (max_nonfinite "
            f"{recipe.max_nonfinite}; {progress.num_skipped} of the stage in all): {_LOWER}, and --resume"
        )
    failed, samples = progress.num_failed - failed_before, (progress.step - begin) * stage.global_batch
    if failed > max(_FEW_FAILURES, recipe.max_failed_share * samples):
        return (
            f"loading failed {failed:,} times in {samples:,} samples (max_failed_share {recipe.max_failed_share:g}): "
            "the log names them and says why. Mend them, or raise max_failed_share (--set), and --resume."
        )
    return None


_FEW_FAILURES = 8
"""Up to this many failed samples, their share is not checked."""


def _save(run: Run, progress: StageProgress, learner: Learner) -> None:
    try:
        save_checkpoint(run.folder, progress, run.bundle.transformer, learner, run.processes)
    except OSError as error:
        raise ValueError(
            f"no checkpoint of step {progress.step} could be written: {error}. The ones before are whole: make room in "
            f"{run.folder}, and --resume."
        ) from error
    if run.processes.first:
        ends = {number: stage.iterations for number, stage in enumerate(run.recipe.stages)}
        prune(run.folder, run.recipe.keep_last, ends)


def _finish(run: Run, number: int, learner: Learner, validator: Validator | None) -> None:
    """Save the moving average as the finished stage; the next stage builds on it."""
    final = learner.average or learner.trained
    experts = whole_experts(run.bundle.transformer)
    weights = experts | {name: whole(value.detach()).cpu() for name, value in final.items()}

    def write() -> None:
        if run.recipe.stages[number].trains_base:
            save_base(run.folder / BASE, weights)
        else:
            notes = notes_of(run.recipe, number)
            save_adapter(run.bundle.transformer, run.folder / ADAPTER, weights=weights, notes=notes)

    run.processes.first_does(write, "writing what the stage made")
    loaded_into(learner.trained, final)
    if validator is not None:
        run.watcher.validated(validator.validate(run.recipe.stages[number].iterations, last=True))
    run.watcher.stage_ends(number, run.bundle)


def notes_of(recipe: Recipe, number: int) -> dict[str, object]:
    """What an adapter says of itself after stage ``number``: recipe, base, and the data so far with its terms."""
    names = dict.fromkeys(name for stage in recipe.stages[: number + 1] for name in stage.manifests)
    if preset(recipe.preset).family == "world":
        terms = ["generated by CoLoGen: Apache-2.0"]
    else:
        sources = (name.partition("-")[2] for name in names)
        terms = list(dict.fromkeys(TERMS.get(source, f"{source}: see its own terms") for source in sources))
    tasks = [stage.task for stage in recipe.stages[: number + 1]]
    return {"recipe": recipe.name, "preset": recipe.preset, "tasks": tasks, "data": list(names), "terms": terms}
