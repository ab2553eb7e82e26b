"""Opens the benchmark of one task on held-out scenes: drawn when they are asked for, no dataset, no network."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from cologen.datagen.randomness import derived_seed
from cologen.datagen.world.formats.drawing import SIDE_LIMITS
from cologen.datagen.world.formats.ensuring import WORLD_VERSION
from cologen.datagen.world.levels import LEVELS, LevelName
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.benchmarks.drawn_items import DrawnItems
from cologen.evaluation.benchmarks.options import Options, choice, refuse_others
from cologen.evaluation.benchmarks.world_tasks.asking import ASK, OVERSAMPLING, Asked, Controlled, Edited
from cologen.evaluation.benchmarks.world_tasks.measuring import metrics_of
from cologen.evaluation.records import Expected, Item

OPTIONS = frozenset({"size", "level", "edits_seed", "limit"})
NUM_ITEMS, SIZE = 200, 32
PLAIN_LEVELS = tuple(name for name, level in LEVELS.items() if level.plain_words)
"""Those whose captions can be read back."""


def open_world_task(task: str, root: Path | None, options: Options) -> Benchmark:
    """The benchmark ``world_<task>``.

    Raises:
        ValueError: a folder or an option that it does not have, or a size that cannot be drawn.
    """
    name = f"world_{task}"
    refuse_others(options, name, OPTIONS)
    if root is not None:
        raise ValueError(f"{name} is drawn and has no dataset: leave out the folder {root}")
    size, seed, num_items = options.size or SIZE, options.edits_seed or 0, options.limit or NUM_ITEMS
    level: LevelName = choice(name, "level", options.level, PLAIN_LEVELS)  # pyright: ignore[reportAssignmentType]
    if not SIDE_LIMITS[0] <= size <= SIDE_LIMITS[1] // OVERSAMPLING:
        raise ValueError(f"{name}: size is {SIDE_LIMITS[0]} to {SIDE_LIMITS[1] // OVERSAMPLING} pixels, got {size}")
    own, ask = derived_seed(seed, name) % (1 << 31), ASK[task]

    @lru_cache(maxsize=64)
    def asked(index: int) -> Asked[Any]:
        return ask(own, index, level, size)

    return Benchmark(
        name=name,
        title=f"Synthetic dataset: {'text to image' if task == 'text' else task}",
        items=DrawnItems(num_items, lambda index: _item(index, asked(index))),
        question=lambda item: asked(int(item.item_id)).question,
        expected=lambda item: _expected(asked(int(item.item_id))),
        metrics=metrics_of(task, lambda item_id: asked(int(item_id)).truth, level),
        protocol={
            "reference": "the scene that was asked for, read back from the output without a network",
            "dataset": f"version {WORLD_VERSION}",
            "level": level,
            "size": f"{size} x {size}, rendered in {size * OVERSAMPLING} and shrunk",
            "seed": str(seed),
            "items": f"{num_items:,}",
        },
    )


def _item(index: int, asked: Asked[Any]) -> Item:
    """Its group is the kind of edit or of map, where there are several."""
    item_id, question = f"{index:06d}", asked.question
    truth = asked.truth
    group = truth.edit.kind if isinstance(truth, Edited) else truth.kind if isinstance(truth, Controlled) else ""
    return Item(
        item_id=item_id, cluster=item_id, prompt=question.prompt, task=question.task, group=group,
        output_names=(f"{item_id}.png",),
    )  # fmt: skip


def _expected(asked: Asked[Any]) -> Expected:
    return Expected(source=asked.source, target=asked.target, region=asked.region)
