"""The options of ``train``. The modules that use them take seconds to import, so they are not imported here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from cologen.datagen.control.policy import HUB
from cologen.datagen.usage import require_device, require_gpus, require_range
from cologen.model.gpus import gpu_named
from cologen.trainer.strategy import PATIENCE, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """Train CoLoGen's stages, one after the other.

    Without arguments it trains on the synthetic dataset, whose manifests are built first if they are missing. If it is
    interrupted, the same command with --resume continues at the same step.
    """

    recipe: str = "world"
    """A recipe's name (world, world-base, world-small, cologen-flux, world-co-training …), or a .toml file."""
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Override a field of the recipe by its dotted name: --set stages.control.learning_rate=5e-5."""
    data: Path = Path("data")
    """The folder that holds the manifests; those of the synthetic dataset are built here if they are missing."""
    root: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """The folder of a manifest's pictures, if they were moved since it was built: --root
    inpaint-journeydb=/data/JDB."""
    base: Path | None = None
    """The base: a FLUX folder, or weights for a world-… preset. Default: the bundled one of world-tiny."""
    out: Path | None = None
    """The run's folder. Default: runs/RECIPE."""
    stage: str | None = None
    """Train only this stage, by number or task. Default: all that are not finished."""
    resume: bool = False
    """Continue the run in this folder from its newest complete checkpoint; start one if there is none."""
    fresh: bool = False
    """Delete the run in this folder and start over."""
    branch: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """Begin a new run at a checkpoint of another, with another recipe if you like: RUN (its newest checkpoint),
    RUN@STAGE:STEP, or RUN@STEP of its newest stage."""
    dry_run: bool = False
    """Print what would be trained, what it needs and what is missing, and train nothing; the exit code is 1 if anything
    is missing or does not fit. A stage that was begun counts in full."""
    workers: int = 2
    """Processes that decode and render, beside each training process."""
    control_workers: int = 0
    """Ray actors for each online extractor (HED, lineart). Default: in the training process, on its device."""
    control_gpus: float = 0.0
    """GPUs of each such actor."""
    address: str | None = None
    """The Ray cluster of these actors. Default: this machine."""
    hed_weights: str = HUB
    """ControlNetHED.pth, the folder that holds it, or a name on the hub; needed where a manifest has online HED."""
    lineart_weights: str = HUB
    """sk_model.pth, likewise."""
    device: str = "auto"
    """cpu, cuda, or auto: the GPU if there is one."""
    strategy: Strategy = "ddp"
    """How several processes hold the model: each all of it (ddp), or a share (fsdp)."""
    wait_minutes: float = PATIENCE.total_seconds() / 60
    """Minutes that other processes wait while the first one builds data, opens manifests or writes files."""
    wandb: bool = False
    """Log to Weights & Biases too."""
    gpu: str = "h100"
    """With --dry-run: the GPU whose hours and memory are estimated."""
    gpus: int = 1
    """With --dry-run: how many of them."""
    utilization: float = 0.45
    """With --dry-run: the share of the GPU's peak that is reached."""

    def __post_init__(self) -> None:
        if self.resume and self.fresh:
            raise ValueError("--resume goes on and --fresh starts over: give one of them")
        if self.branch and self.fresh:
            raise ValueError("--from begins a new run in an empty folder: give another --out instead of --fresh")
        require_range(self, "workers", "control_workers", least=0)
        require_range(self, "wait_minutes", above=0, most=_YEAR)
        require_range(self, "gpus", least=1)
        require_range(self, "utilization", above=0, most=1)
        require_gpus(self, "control_gpus")
        require_device(self)
        gpu_named(self.gpu)
        if not self.control_workers and (self.control_gpus or self.address is not None):
            raise ValueError("--control-gpus and --address are of --control-workers, of which there are none")
        for each in self.root:
            if not re.fullmatch("[^=]+=.+", each):
                raise ValueError(f"--root takes MANIFEST=FOLDER, got {each!r}")

    @property
    def roots(self) -> dict[str, Path]:
        """The folders of pictures, by the manifest's name."""
        return {name: Path(folder) for name, _, folder in (each.partition("=") for each in self.root)}


_YEAR = 366 * 24 * 60
"""In minutes."""


def parsed(args: Sequence[str] | None = None) -> TrainOptions:
    """The options that some arguments mean (None: the process's own); wrong ones end the process with 2."""
    return tyro.cli(TrainOptions, args=args, config=(tyro.conf.FlagCreatePairsOff,))
