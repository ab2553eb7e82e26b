"""``python -m benchmarks.plan``: the cost of a step's rows, however late it is, and of opening three million of them.

The steps are asked in turn within one run, so that a slow minute of the machine falls on all of them; their cost
must not grow with the step. Opening is measured in a process of its own, after the first opening made its copy.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

import psutil
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from cologen.datagen.manifest import Manifest, PartContent, commit_part, part_file, rejected_file, save_manifest
from cologen.datagen.manifest.folder import Folder
from cologen.datagen.randomness import generator
from cologen.trainer.data.manifests import open_manifest
from cologen.trainer.schedule.plan import Component, Plan

STEPS, REPEATS = (0, 10**3, 10**6, 10**9), 300
NUM_ROWS, ROWS_PER_PART, ROWS_READ = 3_000_000, 512, 5000
TARGET_MS, TARGET_SECONDS, TARGET_MB = 1.0, 2.0, 300

PLAN = Plan(
    seed=0,
    components=(
        Component("journeydb", 2_800_000, 2_800_000.0, "a"),
        Component("cocostuff", 118_000, 118_000.0, "b"),
        Component("ade20k", 20_000, 20_000.0, "c"),
    ),
    global_batch=256,
)


class _Recipe(BaseModel):
    seed: int = 0


def plan_milliseconds() -> dict[int, float]:
    """The median cost of ``plan.batch`` by step."""
    found: dict[int, list[float]] = {step: [] for step in STEPS}
    for repeat in range(REPEATS):
        for step in STEPS:
            start = time.perf_counter()
            PLAN.batch(step + repeat)
            found[step].append((time.perf_counter() - start) * 1e3)
    return {step: median(each) for step, each in found.items()}


def build(folder: Folder, root: Path) -> None:
    """A manifest of ``NUM_ROWS`` rows whose parts are all one part: the same bytes under many names, linked."""
    draw = generator(0, "rows")
    rows = [
        {
            "sample_id": f"journeydb/{number:08d}#0",
            "task": "inpaint",
            "source": "journeydb",
            "split": "train",
            "image_uri": f"000.tgz#000/{number:08d}.jpg",
            "width": 1024,
            "height": 1024,
            "caption": "a painting of a castle on a hill above the sea, with flags, boats and a very blue sky",
            "seed": number,
            "mask_kind": "object",
            "mask_rle": draw.bytes(100),
            "mask_area": 0.2,
            "object_noun": "castle",
            "object_box": [1.0, 2.0, 300.0, 400.0],
            "object_rle": draw.bytes(100),
            "object_score": 0.5,
            "max_object_iou": 0.1,
            "max_object_coverage": 0.2,
        }
        for number in range(ROWS_PER_PART)
    ]
    folder.create()
    first = commit_part(folder, 0, PartContent.of("inpaint", rows, []))
    parts = [first]
    for index in range(1, NUM_ROWS // ROWS_PER_PART):
        names = {"file": part_file(index), "rejected_file": rejected_file(index)}
        Path(folder.path, names["file"]).hardlink_to(Path(folder.path, first.file))
        parts.append(first.model_copy(update={"index": index, **names}))
    empty = Manifest.empty("inpaint", "journeydb", _Recipe(), num_parts=len(parts), root=root, mix={"object": 1.0})
    save_manifest(folder, empty.finished(parts))


def open_and_read(folder: str) -> dict[str, float]:
    """Seconds and resident megabytes of opening, and microseconds a row in any order."""
    start = time.perf_counter()
    rows = open_manifest(folder, "inpaint")
    rows.row(len(rows) - 1)
    seconds, megabytes = time.perf_counter() - start, psutil.Process().memory_info().rss / 1e6
    indices = generator(1, "order").integers(0, len(rows), ROWS_READ).tolist()
    start = time.perf_counter()
    rows.rows(indices)
    return {"seconds": seconds, "megabytes": megabytes, "us": (time.perf_counter() - start) / ROWS_READ * 1e6}


def main() -> None:
    """Print one table for the plan and one for manifests."""
    console = Console(width=110)
    table = Table("step", "ms", title=f"plan.batch, global batch {PLAN.global_batch}; target: {TARGET_MS:g} ms")
    for step, milliseconds in plan_milliseconds().items():
        table.add_row(f"{step:,}", f"{milliseconds:.2f}")
    console.print(table)
    with tempfile.TemporaryDirectory() as name:
        os.environ["COLOGEN_CACHE"] = f"{name}/cache"
        folder = Folder.open(f"{name}/manifest")
        build(folder, Path(name))
        title = f"{NUM_ROWS:,} rows; target: {TARGET_SECONDS:g} s and {TARGET_MB} MB"
        table = Table("opening", "seconds", "MB resident", "µs a row", title=title)
        for label in ("first, which copies", "second", "third"):
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
                cost = process.submit(open_and_read, folder.path).result()
            table.add_row(label, f"{cost['seconds']:.2f}", f"{cost['megabytes']:.0f}", f"{cost['us']:.0f}")
        console.print(table)


if __name__ == "__main__":
    main()
