"""One run: what it trains, and the model and optimizer of each of its stages."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from cologen.model.adapters import load_adapter
from cologen.model.bundle import Bundle
from cologen.model.transformer import WovenTransformer
from cologen.model.veteran import VeteranGate
from cologen.trainer.distributed import Processes, wrapped
from cologen.trainer.loop.checkpoint import ADAPTER, BASE, Checkpoint
from cologen.trainer.loop.learner import Learner
from cologen.trainer.loop.saving import load_training
from cologen.trainer.loop.watcher import Watcher
from cologen.trainer.recipes.curriculum import Recipe, unshardable_base
from cologen.trainer.recipes.stages import Stage
from cologen.trainer.strategy import Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: its folder, its recipe, its model and its processes."""

    folder: Path
    recipe: Recipe
    bundle: Bundle
    processes: Processes
    strategy: Strategy
    watcher: Watcher


@contextmanager
def computing(run: Run, stage: Stage) -> Generator[None, None, None]:
    """Within the block, a base that trains in bf16 computes its products so: its weights stay in float32."""
    halved = stage.trains_base and run.recipe.precision == "bf16"
    with torch.autocast(run.processes.device.type, torch.bfloat16, enabled=halved):
        yield


def learner_of(run: Run, number: int, checkpoint: Checkpoint | None) -> Learner:
    """The stage's model, with only what it trains requiring gradients, and the optimizer over that.

    Raises:
        ValueError: the base cannot be sharded, or the optimizer cannot work so.
    """
    recipe, stage, model = run.recipe, run.recipe.stages[number], run.bundle.transformer
    if run.strategy == "fsdp" and run.processes.size > 1 and (unshardable := unshardable_base(recipe)):
        raise ValueError(unshardable)
    if stage.trains_base:
        if checkpoint is not None:
            model.load_state_dict(load_file(checkpoint.folder / BASE), strict=False)
        trained = dict(model.requires_grad_(True).named_parameters())
    else:
        _give_experts(run, number, checkpoint)
        trained = model.freeze_for(recipe.num_experts(number) - 1)
    model.train()
    if recipe.precision == "bf16" and run.processes.device.type == "cpu":
        model.set_attention_backend("_native_math")  # torch's fused attention is slow there: four times, backwards
    if recipe.gradient_checkpointing:
        model.enable_gradient_checkpointing()
    if recipe.compile:
        _compile(model)
    wrapped_model = wrapped(model, run.processes, run.strategy)
    named = dict(model.named_parameters())  # sharding replaces the parameters
    learner = Learner(
        wrapped_model,
        {name: named[name] for name in trained},
        recipe.optimizer,
        ema_decay=recipe.ema_decay,
        clip=recipe.clip,
        processes=run.processes,
        router_rate=stage.router_rate,
        gate=VeteranGate(rho=stage.gate_rho, alpha=stage.alpha),
    )
    if checkpoint is not None:
        load_training(checkpoint, learner)
    return learner


def _compile(model: WovenTransformer) -> None:
    """Compile each block by itself, which is minutes faster than the whole model, and works with sharding.

    A block holds its number, so blocks share kernels but not graphs. Each has several graphs: for the source, for the
    target, and for a newcomer's bias that changes and one that does not.
    """
    room = 8 * model.num_blocks
    dynamo: Any = torch._dynamo.config  # pyright: ignore[reportPrivateUsage], the limits have no public place
    dynamo.recompile_limit = max(dynamo.recompile_limit, room)
    dynamo.accumulated_recompile_limit = max(dynamo.accumulated_recompile_limit, room)
    model.compile_repeated_blocks()


def _give_experts(run: Run, number: int, checkpoint: Checkpoint | None) -> None:
    """The experts of the stage: from the checkpoint, or those of the stages before and perhaps a new one."""
    recipe, stage, model = run.recipe, run.recipe.stages[number], run.bundle.transformer
    if checkpoint is not None:
        load_adapter(model, checkpoint.folder / ADAPTER, dtype=torch.float32)
        return
    before = recipe.num_experts(number) - stage.new_expert
    if before:
        load_adapter(model, run.folder / ADAPTER, stage=before - 1, dtype=torch.float32)
    if stage.new_expert:
        model.add_expert(recipe.seed)
