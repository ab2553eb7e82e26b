"""Small runs over two processes: what each of them does, importable by both."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch
import torch.distributed as dist

from cologen.trainer.distributed import Processes, Strategy
from cologen.trainer.loop.stopping import Stopping
from cologen.trainer.recipes.curriculum import Recipe
from tests.trainer.small_runs import train

Case = tuple[Path, int, int | None]
"""The folder of a run of stage 1, its micro batch, and after how many steps it is asked to stop."""


def process(rank: int, world: int, folder: Path, data: Path, cases: list[tuple[Path, Recipe, int | None]]) -> None:
    """Do every case, and let the first process keep each step's loss, veteran loss, usage and gradient norm."""
    torch.set_num_threads(1)
    os.environ["COLOGEN_CACHE"] = str(data.parent / "cache")
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=world)
    for number, (run, recipe, stop_after) in enumerate(cases):
        processes = Processes(rank, world, torch.device("cpu"))
        reports = train(run, data, recipe, [1], processes=processes, stop_after=stop_after).reports
        if rank == 0:
            found = [(each.loss, each.veteran, each.usage, each.gradient_norm) for each in reports]
            torch.save(found, folder / f"{number}.pt")
    dist.destroy_process_group()


NEVER = Stopping()


def validating(rank: int, world: int, folder: Path, data: Path, cases: list[tuple[Path, Recipe, Strategy]]) -> None:
    """Train stage 1 in each case, and keep what every process validated, by step."""
    torch.set_num_threads(1)
    os.environ["COLOGEN_CACHE"] = str(data.parent / "cache")
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=world)
    for run, recipe, strategy in cases:
        processes = Processes(rank, world, torch.device("cpu"))
        found = train(run, data, recipe, [1], processes=processes, strategy=strategy).validations
        torch.save({each.step: torch.from_numpy(each.losses) for each in found}, folder / f"{strategy}-{rank}.pt")
    dist.destroy_process_group()


def copied(run: Path, to: Path) -> Path:
    """A run's folder in another place."""
    shutil.copytree(run, to)
    return to
