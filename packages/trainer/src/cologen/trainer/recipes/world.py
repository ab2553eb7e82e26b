"""The recipes of the synthetic dataset: the small models that train within minutes, and the bases they stand on."""

from __future__ import annotations

from collections.abc import Mapping

from cologen.model.tasks import TASK_NAMES, TaskName
from cologen.trainer.recipes.ablations import gated_replay
from cologen.trainer.recipes.curriculum import Recipe, Resolution
from cologen.trainer.recipes.held_out import HeldOut
from cologen.trainer.recipes.optimizer import Optimizer
from cologen.trainer.recipes.scenes import Scenes
from cologen.trainer.recipes.stages import Stage, Weight, five_stages

VALIDATION = "-val"
"""Behind a manifest's name: that of the synthetic dataset's validation split."""

WORLD_MANIFESTS: Mapping[TaskName, dict[str, Weight]] = {
    "inpaint": {"inpaint-cocostuff": "by size"},
    "grounding": {"grounding-refcoco": "by size"},
    "control": dict.fromkeys(("control-cocostuff", "control-multigen_depth"), "by size"),
    "customized": {"customized-subjects200k": "by size"},
    "editing": {"editing-triplets": "by size"},
}
"""What the builders make of the synthetic dataset, under the names they give their folders."""

WORLD_HELD_OUT: Mapping[TaskName, tuple[str, ...]] = {
    task: tuple(f"{name}{VALIDATION}" for name in names) for task, names in WORLD_MANIFESTS.items()
}
"""The same of its validation split, which training builds and never trains on."""


def _text_to_image(
    name: str,
    of: Recipe,
    scenes: Scenes,
    *,
    iterations: int,
    decay_share: float,
    global_batch: int,
    learning_rate: float,
) -> Recipe:
    stage = Stage(
        task="text-to-image",
        scenes=scenes,
        iterations=iterations,
        global_batch=global_batch,
        learning_rate=learning_rate,
        warmup_steps=100,
        decay_share=decay_share,
        rho=0.0,
        alpha=0.0,
        new_expert=False,
    )
    muon = Optimizer(kind="muon", betas=(0.9, 0.99))
    return of.replace(name=name, stages=(stage,), optimizer=muon, ema_decay=0.998, checkpoint_every=250, held_out=None)


def _world_stages(sizes: Mapping[TaskName, tuple[int, int]], *, warmup_steps: int) -> tuple[Stage, ...]:
    return five_stages(WORLD_MANIFESTS, sizes, learning_rate=2e-2, warmup_steps=warmup_steps, decay_share=0.4)


def world() -> Recipe:
    """All five stages on the synthetic dataset, short: about five minutes on 2 CPU cores.

    ``train``. The base comes with the project; loss falls in every stage, and U_t comes near ρ. Muon, since AdamW
    follows edges half as well after as many samples (docs/results.md).
    """
    return Recipe(
        name="world",
        preset="world-tiny",
        resolution=Resolution(side=32, multiple=4, max_aspect=1.0),
        rank=16,
        optimizer=Optimizer(kind="muon"),
        precision="fp32",  # bf16 is slower on CPUs without AMX
        ema_decay=0.98,
        micro_batch=32,
        checkpoint_every=50,
        log_every=5,
        held_out=HeldOut(
            manifests=dict(WORLD_HELD_OUT), rows_per_task=4, every=60, times=(0.2, 0.5, 0.8), num_samples=10
        ),
        stages=_world_stages(dict.fromkeys(TASK_NAMES, (120, 32)), warmup_steps=20),
    )


def world_long() -> Recipe:
    """``world`` with stages of seven to eleven times as many steps, a fifth of each later stage's samples being of the
    tasks before it, each with a veteran gate of its own: the recipe of the bundled adapters.

    ``torchrun --nproc-per-node 2 -m cologen.trainer --recipe world-long --workers 0``, with ``OMP_NUM_THREADS=1``: 46
    minutes on 2 cores. The expert of customized generation learns more slowly than its routers; at one rate, with gates
    that asked for less, it learned to look away from the source (docs/results.md).
    """
    sizes: dict[TaskName, tuple[int, int]] = {
        "inpaint": (800, 32),
        "grounding": (1300, 32),
        "control": (1300, 32),
        "customized": (1000, 32),
        "editing": (1300, 32),
    }
    long = world().replace(
        ema_decay=0.99,
        micro_batch=16,
        checkpoint_every=200,
        log_every=20,
        held_out=HeldOut(manifests=dict(WORLD_HELD_OUT), rows_per_task=12, every=400, times=(0.2, 0.5, 0.8)),
        stages=tuple(
            stage.replace(learning_rate=4e-3, router_rate=5.0) if stage.task == "customized" else stage
            for stage in _world_stages(sizes, warmup_steps=40)
        ),
    )
    return gated_replay(long).replace(name="world-long")


def world_small() -> Recipe:
    """All five stages on the synthetic dataset with some 30M parameters: minutes on one GPU.

    ``train --recipe world-small --base PATH``, with the base that ``world-small-base`` made.
    """
    return Recipe(
        name="world-small",
        preset="world-small",
        resolution=Resolution(side=64, multiple=8, max_aspect=1.0),
        rank=32,
        micro_batch=64,
        checkpoint_every=500,
        held_out=HeldOut(manifests=dict(WORLD_HELD_OUT), rows_per_task=64, every=500),
        stages=five_stages(
            WORLD_MANIFESTS, dict.fromkeys(TASK_NAMES, (2000, 64)), learning_rate=5e-4, warmup_steps=100
        ),
    )


def world_base() -> Recipe:
    """The base of ``world``, which draws the synthetic dataset's pictures from text: all parameters, no source.

    ``torchrun --nproc-per-node 2 -m cologen.trainer --recipe world-base --workers 0``, with ``OMP_NUM_THREADS=1``:
    410,000 samples in 63 minutes on 2 cores that compute in bf16 (AMX). ``world-base-pairs`` goes on from there.
    """
    scenes = Scenes(level="simple", side=64, number=20_000, pair_share=0.3, keep=True)
    base = _text_to_image(
        "world-base", world(), scenes, iterations=3200, decay_share=0.3125, global_batch=128, learning_rate=8e-3
    )
    return base.replace(precision="bf16", compile=True, micro_batch=64)


def _continued(name: str, scenes: Scenes, *, iterations: int, decay_share: float) -> Recipe:
    """Another hour of the bundled base."""
    base = _text_to_image(
        name, world(), scenes, iterations=iterations, decay_share=decay_share, global_batch=128, learning_rate=6e-3
    )
    return base.replace(compile=True, micro_batch=64, continues_base=True)


def world_base_pairs() -> Recipe:
    """The second hour of the bundled base: half of the steps draw pairs, since tasks need both pictures of one.

    As ``world-base``, with ``--base runs/world-base/base.safetensors``: 358,000 samples in 54 minutes on 2 cores
    without AMX. docs/results.md says what the base draws after each.
    """
    scenes = Scenes(level="simple", side=64, seed=1, number=20_000, pair_share=0.5, keep=True)
    return _continued("world-base-pairs", scenes, iterations=2800, decay_share=4 / 7)


def world_base_given() -> Recipe:
    """The third hour of the bundled base: seven steps of ten draw pairs, most of them marks and edits, which it draws
    worst, and of every other pair the source is given.

    As ``world-base-pairs``, with ``--base runs/world-base-pairs/base.safetensors``: 333,000 samples in 58 minutes on 2
    cores without AMX.
    """
    tasks: tuple[TaskName, ...] = (
        "grounding", "editing", "control", "grounding", "inpaint", "editing", "grounding", "customized"
    )  # fmt: skip
    scenes = Scenes(
        level="simple", side=64, seed=2, number=40_000, pair_share=0.7, pair_tasks=tasks, given_share=0.5, keep=True
    )
    return _continued("world-base-given", scenes, iterations=2600, decay_share=0.6)


def world_base_sources() -> Recipe:
    """The fourth hour of the bundled base: the source of 70 % of the pairs is given, six of eleven are marks and edits,
    and the subjects of customized generation are named by their shape alone.

    As ``world-base-given``, with ``--base runs/world-base-given/base.safetensors``: 205,000 samples in 64 minutes on 2
    cores with AVX2.
    """
    tasks: tuple[TaskName, ...] = (
        "grounding", "editing", "customized", "grounding", "editing", "control", "inpaint", "grounding", "editing",
        "customized", "control",
    )  # fmt: skip
    scenes = Scenes(
        level="simple", side=64, seed=3, number=40_000, pair_share=0.7, pair_tasks=tasks, given_share=0.7, keep=True
    )
    return _continued("world-base-sources", scenes, iterations=1600, decay_share=0.6)


def world_small_base() -> Recipe:
    """The base of ``world-small``: ``train --recipe world-small-base``, on one GPU."""
    scenes = Scenes(level="simple", side=64)
    small = world_small()
    return _text_to_image(
        "world-small-base", small, scenes, iterations=20_000, decay_share=0.25, global_batch=128, learning_rate=1e-3
    )
