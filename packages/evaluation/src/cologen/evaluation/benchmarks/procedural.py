"""Edits of drawn scenes whose right result is known to the pixel: no judge, no download, no test picture to protect.

The scenes are those of the synthetic dataset, of a seed of their own, so that no training set holds them. Each kind of
edit takes its turn: recolor, add, remove, replace, move. What an edit may change is where source and target differ.
"""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from cologen.datagen.drawn_pairs import edit_in_turn
from cologen.datagen.randomness import derived_seed
from cologen.datagen.world.edits import EDIT_KINDS, Edit
from cologen.datagen.world.formats.drawing import SIDE_LIMITS
from cologen.datagen.world.render import render
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.benchmarks.drawn_items import DrawnItems
from cologen.evaluation.benchmarks.options import Options, refuse_others
from cologen.evaluation.metrics.catalog import change_iou, delta_e, edit_accuracy, l1, preservation_accuracy
from cologen.evaluation.records import Expected, Item, Question

NAME = "procedural"
TITLE = "Procedural edits with exact targets"
OPTIONS = frozenset({"size", "edits_seed", "limit"})
NUM_ITEMS, SIZE = 500, 512


def open_procedural(root: Path | None, options: Options) -> Benchmark:
    """Drawn as they are asked for: there is no folder.

    Raises:
        ValueError: a folder or an option that it does not have, or a size that cannot be drawn.
    """
    refuse_others(options, NAME, OPTIONS)
    if root is not None:
        raise ValueError(f"{NAME} is drawn and has no dataset: leave out the folder {root}")
    low, high = SIDE_LIMITS
    size, seed = options.size or SIZE, options.edits_seed or 0
    if not low <= size <= high:
        raise ValueError(f"{NAME}: size is {low} to {high} pixels, got {size}")
    num_items = options.limit or NUM_ITEMS
    return Benchmark(
        name=NAME,
        title=TITLE,
        items=DrawnItems(num_items, partial(_item, seed)),
        question=partial(_question, seed, size),
        expected=partial(_expected, seed, size),
        metrics=(
            edit_accuracy(),
            preservation_accuracy(),
            change_iou(),
            delta_e(region="inside"),
            delta_e(region="outside"),
            l1(reference="target", region="inside"),
            l1(reference="target", region="outside"),
        ),
        protocol={
            "reference": "target, drawn exactly",
            "region": "the pixels in which source and target differ",
            "size": f"{size} x {size}",
            "seed": str(seed),
            "items": f"{num_items:,}, of {', '.join(EDIT_KINDS)} in turn",
        },
    )


@lru_cache(maxsize=4096)
def drawn_edit(seed: int, index: int) -> Edit:
    """The edit of item ``index``, of the kind whose turn it is."""
    return edit_in_turn(derived_seed(seed, NAME), index, "rich")


def _item(seed: int, index: int) -> Item:
    made = drawn_edit(seed, index)
    item_id = f"{index:06d}-{made.kind}"
    return Item(
        item_id=item_id, cluster=item_id, prompt=made.instruction, task="editing", group=made.kind,
        output_names=(f"{item_id}.png",),
    )  # fmt: skip


def _question(seed: int, size: int, item: Item) -> Question:
    source = render(_edit_of(seed, item).before, size, size).picture
    return Question(task="editing", prompt=item.prompt, pictures=(source,), width=size, height=size)


def _expected(seed: int, size: int, item: Item) -> Expected:
    made = _edit_of(seed, item)
    source, target = (render(scene, size, size).picture for scene in (made.before, made.after))
    region = (source != target).any(axis=2).astype(np.uint8)
    return Expected(source=source, target=target, region=region)


def _edit_of(seed: int, item: Item) -> Edit:
    return drawn_edit(seed, int(item.item_id.partition("-")[0]))
