"""``python -m benchmarks.report``: a report of 10,000 items with 12 metrics: seconds, and how memory grows with items.

The log is made up. Each size is reported in a process of its own, so that the peak of its memory is its own.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from cologen.datagen.randomness import generator
from cologen.evaluation.benchmark import Benchmark
from cologen.evaluation.metric import Metric
from cologen.evaluation.records import Case, Expected, Item, Picture, Question
from cologen.evaluation.reporting.gallery import Gallery
from cologen.evaluation.reporting.report import write_report
from cologen.evaluation.reporting.results import Run
from cologen.evaluation.scoring.log import OutputScore, write_part

SIZES, PART_SIZE, NUM_METRICS, NUM_GROUPS = (1_000, 10_000, 40_000), 32, 12, 11
TARGET_SECONDS = 10.0
"""For 10,000 items."""

NAMES = [f"metric_{number}" for number in range(NUM_METRICS)]


def items_of(size: int) -> list[Item]:
    """Two items of each source picture."""
    return [
        Item(item_id=f"item-{n}", cluster=f"source-{n // 2}", prompt="make it blue", group=f"group-{n % NUM_GROUPS}")
        for n in range(size)
    ]


def write_log(folder: Path, items: list[Item]) -> None:
    """Values of every metric; every thousandth output is missing."""
    for part, start in enumerate(range(0, len(items), PART_SIZE)):
        values = generator(0, "values", part).normal(0.5, 0.1, size=(PART_SIZE, NUM_METRICS)).tolist()
        scores = [
            OutputScore(item_id=item.item_id, output=0, values=dict(zip(NAMES, row, strict=True)))
            for item, row in zip(items[start : start + PART_SIZE], values, strict=False)
            if not item.item_id.endswith("999")
        ]
        write_part(folder, part, scores)


def report(folder: Path, size: int) -> tuple[float, float]:
    """Seconds and peak megabytes of this process."""
    metrics = tuple(
        Metric(name=name, title=name, better="higher", best=1.0, worst=0.0, protocol="made up", value=_never)
        for name in NAMES
    )
    benchmark = Benchmark(
        name="made-up",
        title="Made up",
        items=items_of(size),
        question=_no_question,
        expected=lambda _: Expected(),
        metrics=metrics,
        protocol={},
    )
    start = time.perf_counter()
    run = Run(model="made up", seed=0)
    write_report(folder / "report", benchmark, {"model": folder / "log"}, run, gallery=Gallery(pictures=_pictures))
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print a table."""
    table = Table("items", "seconds", "peak MB")
    for size in SIZES:
        with tempfile.TemporaryDirectory() as name:
            write_log(Path(name, "log"), items_of(size))
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
                seconds, megabytes = process.submit(report, Path(name), size).result()
            table.add_row(f"{size:,}", f"{seconds:.1f}", f"{megabytes:.0f}")
    Console().print(table, f"Target: under {TARGET_SECONDS:g} s for 10,000 items of one candidate.")


def _pictures(item_id: str, output: int) -> dict[str, Picture]:
    return {name: np.full((512, 512, 3), 90, dtype=np.uint8) for name in ("source", "output", "target")}


def _never(case: Case) -> float:
    raise AssertionError("a report measures nothing")


def _no_question(item: Item) -> Question:
    raise AssertionError("a report asks nothing")


if __name__ == "__main__":
    main()
