"""``python -m benchmarks.loading``: samples per second of a stage's batches, against bare decode + resize.

Bare is what no loading can save: the same rows' pictures decoded once each, and as many pictures resized as a sample
has, by the same number of worker processes, which hand over nothing. Both ways take turns in rounds of the same rows,
and the ratio is that of their best rounds: other work on the machine disturbs single rounds.

The synthetic dataset's pictures are flat, and decode several times faster than photographs. So each task is measured a
second time with grain on its pictures, as much as makes them the size of COCO's (160 kB on average).
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.bare import Bare
from cologen.datagen.engine.jobs import Pass
from cologen.datagen.manifest import commit_part, save_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.pair_records import Pair
from cologen.datagen.passes.inpaint import InpaintRecipe, MaskPass
from cologen.datagen.passes.pairs import PairPass, PairRecipe
from cologen.datagen.passes.reading import Reader
from cologen.datagen.records import Image
from cologen.datagen.world.formats import World, ensure
from cologen.model.tasks import TaskName
from cologen.trainer.data.loading import Loading, StageSamples, open_stage
from cologen.trainer.data.workers import in_order
from cologen.trainer.distributed import Processes
from cologen.trainer.recipes.curriculum import Resolution
from cologen.trainer.recipes.world import world

SCENES, WIDTH, HEIGHT, SIDE = 64, 640, 480, 512
GRAINS = {"flat": 0.0, "grainy": 9.0}
"""Standard deviations in grey levels."""
STEPS, GLOBAL_BATCH, MICRO_BATCH, ROUNDS = 16, 16, 4, 5
WORKERS = (0, 1, 2)
TARGET = 0.8
ALONE = Processes(0, 1, torch.device("cpu"))


def main() -> None:
    """Print one line per task and number of workers."""
    cv2.setNumThreads(1)
    title = f"pictures of {WIDTH}x{HEIGHT} to {SIDE}²; target: at least {TARGET} of decode + resize"
    table = Table(
        "task", "pictures", "workers", "decode + resize, samples/s", "batches, samples/s", "ratio", title=title
    )
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["COLOGEN_CACHE"] = str(Path(temporary, "cache"))
        for (task, build), (pictures, grain) in product(_BUILDERS.items(), GRAINS.items()):
            home, data = Path(temporary, f"world-{pictures}"), Path(temporary, f"data-{pictures}")
            name = next(iter(world().stage(task).manifests))
            _build(build(home, grain, Folder.open(data / name)))
            for num_workers in WORKERS:
                bare, whole = measure(_opened(data, task, num_workers), num_workers)
                table.add_row(task, pictures, str(num_workers), f"{bare:.0f}", f"{whole:.0f}", f"{whole / bare:.2f}")
    Console(width=110).print(table)


def measure(samples: StageSamples, num_workers: int) -> tuple[float, float]:
    """Samples per second of both ways, in their best of interleaved rounds; workers have started before."""
    works = [
        samples.schedule.work(step)[first : first + MICRO_BATCH]
        for step in range(ROUNDS * STEPS)
        for first in range(0, GLOBAL_BATCH, MICRO_BATCH)
    ]
    micro_batches = GLOBAL_BATCH // MICRO_BATCH
    best_bare = best_whole = 0.0
    with (
        closing(in_order(Bare(samples.fetcher.components[0]), works, num_workers)) as bare,
        closing(samples.steps(0, ALONE)) as steps,
    ):
        for _ in range(ROUNDS):
            best_bare = max(best_bare, _pace(lambda: next(bare), STEPS * micro_batches))
            best_whole = max(best_whole, _pace(lambda: next(steps), STEPS))
    return best_bare, best_whole


def _pace(take: Callable[[], object], times: int) -> float:
    """Samples per second over one round; the first few, made before while the other way was measured, do not count."""
    head = times // 4
    for _ in range(head):
        take()
    start = time.perf_counter()
    for _ in range(times - head):
        take()
    return STEPS * GLOBAL_BATCH * (times - head) / times / (time.perf_counter() - start)


def _opened(data: Path, task: TaskName, num_workers: int) -> StageSamples:
    sizes = {"iterations": ROUNDS * STEPS, "global_batch": GLOBAL_BATCH, "warmup_steps": 0, "new_expert": True}
    recipe = world().replace(
        stages=(world().stage(task).replace(**sizes),),
        resolution=Resolution(side=SIDE, multiple=16, max_aspect=1.0),
        micro_batch=MICRO_BATCH,
    )
    return open_stage(recipe, 0, data, loading=Loading(num_workers=num_workers))


def _build(pass_: Pass) -> None:
    pass_.folder.create()
    work, empty = pass_.open(), pass_.manifest()
    reports = [commit_part(pass_.folder, index, work(pass_.part(index))) for index in range(empty.num_parts)]
    save_manifest(pass_.folder, empty.finished(reports))


def _inpaint(home: Path, grain: float, folder: Folder) -> Pass:
    reader = Reader.of(Image, "cocostuff", _drawn(home, "cocostuff", grain), "train", SCENES, None)
    return MaskPass(folder=folder, recipe=InpaintRecipe(source=reader.recipe), reader=reader)


def _editing(home: Path, grain: float, folder: Folder) -> Pass:
    reader = Reader.of(Pair, "triplets", _drawn(home, "triplets", grain), "train", SCENES, None)
    return PairPass(folder=folder, recipe=PairRecipe(task="editing", source=reader.recipe), reader=reader)


def _drawn(home: Path, layout: str, grain: float) -> Path:
    ensure(layout, home / layout, World(num_scenes=SCENES, width=WIDTH, height=HEIGHT, seed=0))
    if grain:
        for path in sorted((home / layout).rglob("*.jpg")):
            picture = cv2.imread(str(path))
            assert picture is not None
            noise = np.random.default_rng(0).normal(0, grain, picture.shape)
            cv2.imwrite(str(path), np.clip(picture + noise, 0, 255).astype(np.uint8))
    return home / layout


_BUILDERS: dict[TaskName, Callable[[Path, float, Folder], Pass]] = {"inpaint": _inpaint, "editing": _editing}


if __name__ == "__main__":
    main()
