"""``python -m benchmarks.world_step``: where the time of a training step of the synthetic dataset goes, on one thread.

Two recipes are trained for some steps each: a base, whose scenes are drawn when a batch is made, and a stage with
experts on manifests, which have to be in ``--data``. The first steps are left out, since the base is compiled in them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from rich.console import Console
from rich.table import Table

from cologen.model.world_base import packaged_base
from cologen.trainer.cli import main as train
from cologen.trainer.loop import stage as stages
from cologen.trainer.loop.encoding import Encoder
from cologen.trainer.loop.learner import Learner, StepReport
from cologen.trainer.loop.muon import Muon
from cologen.trainer.recipes.catalog import load_recipe
from cologen.trainer.watchers.tracking import Tracker

CASES = (("world-base-sources", "text-to-image"), ("world-long", "inpaint"))
"""Recipe and stage."""
PARTS = ("wait for the batch", "latents and prompts", "forward", "backward", "optimizer and average")
WARM_UP = 6


def main() -> None:
    """Print a line for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=Path("data"), type=Path, help="the folder of the manifests")
    parser.add_argument("--steps", default=20, type=int)
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = Table(title=f"mean of {options.steps} steps on one thread, in shares of a step")
    for column in ("recipe", "samples / s", "ms a sample", *PARTS, "the rest"):
        table.add_column(column, justify="right" if table.columns else "left")
    for recipe, stage in CASES:
        seconds, whole = measure(recipe, stage, options.data, options.steps)
        samples = load_recipe(recipe).stage(stage).global_batch / whole
        shares = [f"{seconds[part] / whole:.0%}" for part in PARTS]
        rest = 1 - sum(seconds.values()) / whole
        table.add_row(recipe, f"{samples:.0f}", f"{1000 / samples:.1f}", *shares, f"{rest:.0%}")
    Console(width=150).print(table)


def measure(recipe: str, stage: str, data: Path, num_steps: int) -> tuple[dict[str, float], float]:
    """Seconds of each part of a step, and of the whole."""
    spent: dict[str, float] = dict.fromkeys(PARTS, 0.0)
    ends, waits = list[float](), list[float]()

    def ended(_: Tracker, __: int, loaded: Any, ___: StepReport, ____: float) -> None:
        waits.append(loaded.waited)
        ends.append(time.perf_counter())
        if len(ends) == WARM_UP:
            spent.update({part: 0.0 for part in PARTS})  # noqa: C420, whose keys would be literals

    total = WARM_UP + num_steps
    changed = {"iterations": total, "warmup_steps": 0, "decay_share": 0.0}
    command = ["--recipe", recipe, "--data", str(data), "--workers", "0", "--stage", stage]
    command += [word for name, value in changed.items() for word in ("--set", f"stages.{stage}.{name}={value}")]
    command += ["--set", "held_out=none", "--set", "num_samples=1"]
    if load_recipe(recipe).continues_base:
        command += ["--base", str(packaged_base(load_recipe(recipe).preset))]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        stack.enter_context(patch.object(Tracker, "step_done", ended))
        stack.enter_context(_timed(Encoder, "latents", spent, "latents and prompts"))
        stack.enter_context(_timed(Encoder, "prompts", spent, "latents and prompts"))
        stack.enter_context(_timed(stages, "losses", spent, "forward"))
        stack.enter_context(_timed(torch.Tensor, "backward", spent, "backward"))
        stack.enter_context(_timed(Learner, "_follow", spent, "optimizer and average"))
        stack.enter_context(_timed(torch.optim.Optimizer, "zero_grad", spent, "optimizer and average"))
        stack.enter_context(_timed(Muon, "step", spent, "optimizer and average"))
        if train([*command, "--out", str(Path(folder, "run"))]):
            raise RuntimeError(f"{recipe} was not trained")
    spent["wait for the batch"] = sum(waits[WARM_UP:])
    return {part: seconds / num_steps for part, seconds in spent.items()}, (ends[-1] - ends[WARM_UP - 1]) / num_steps


@contextmanager
def _timed(owner: Any, name: str, spent: dict[str, float], part: str) -> Generator[None]:
    """Add the seconds of each call of a function to a part."""
    function: Callable[..., Any] = getattr(owner, name)

    def timed(*args: Any, **kwargs: Any) -> Any:
        begin = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent[part] += time.perf_counter() - begin

    with patch.object(owner, name, timed):
        yield


if __name__ == "__main__":
    main()
