"""The options of ``train``. The modules that use them take seconds to import, so they are not imported here.

They are grouped as ``--help`` shows them. tyro keeps the line breaks of a field's docstring, so those fall between
sentences.
"""

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

_YEAR = 366 * 24 * 60
"""In minutes."""

_Flag = Annotated[bool, tyro.conf.arg(help_behavior_hint="")]
_Many = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]


def _unless(words: str) -> object:
    """For an option that is None by default: what that means."""
    return tyro.conf.arg(help_behavior_hint=f"(default: {words})")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The run's folder, and how a run goes on."""

    out: Annotated[Path | None, _unless("runs/RECIPE")] = None
    """Where checkpoints, adapter, log and report go."""
    resume: _Flag = False
    """Continue the run in this folder from its newest complete checkpoint; start one if there is none."""
    fresh: _Flag = False
    """Delete the run in this folder and start over."""
    branch: Annotated[str | None, tyro.conf.arg(name="from", help_behavior_hint="")] = None
    """Begin a new run at a checkpoint of another run, perhaps with another recipe.
    RUN is its newest one, RUN@STAGE:STEP any, RUN@STEP one of its newest stage."""
    wandb: _Flag = False
    """Log to Weights & Biases too."""

    def __post_init__(self) -> None:
        if self.resume and self.fresh:
            raise ValueError("--resume goes on and --fresh starts over: give one of them")
        if self.branch and self.fresh:
            raise ValueError("--from begins a new run in an empty folder: give another --out instead of --fresh")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """Where manifests and pictures are, and who reads them."""

    folder: Annotated[Path, tyro.conf.arg(name="data")] = Path("data")
    """The folder of the manifests. Those of the synthetic dataset are built here if they are missing."""
    root: _Many = ()
    """Where a manifest's pictures are, if they were moved since it was built: --root inpaint-journeydb=/data/JDB."""
    workers: int = 2
    """Processes that decode and render for each training process."""

    def __post_init__(self) -> None:
        require_range(self, "workers", least=0)
        for each in self.root:
            if not re.fullmatch("[^=]+=.+", each):
                raise ValueError(f"--root takes MANIFEST=FOLDER, got {each!r}")

    @property
    def roots(self) -> dict[str, Path]:
        """The folders of pictures, by the manifest's name."""
        return {name: Path(folder) for name, _, folder in (each.partition("=") for each in self.root)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineOptions:
    """What trains: the device, and several processes together (torchrun, accelerate launch, Ray)."""

    device: str = "auto"
    """cpu, cuda, or auto: the GPU if there is one."""
    strategy: Strategy = "ddp"
    """How several processes hold the model: each all of it (ddp), or a share (fsdp)."""
    wait_minutes: float = PATIENCE.total_seconds() / 60
    """Minutes that other processes wait while the first one builds data, opens manifests or writes files."""

    def __post_init__(self) -> None:
        require_range(self, "wait_minutes", above=0, most=_YEAR)
        require_device(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlOptions:
    """HED and lineart are drawn while training: who draws them, with which weights."""

    control_workers: Annotated[int, _unless("0, the training process draws")] = 0
    """Ray actors for each of the two."""
    control_gpus: float = 0.0
    """GPUs of each such actor."""
    address: Annotated[str | None, _unless("this machine")] = None
    """The Ray cluster of these actors."""
    hed_weights: str = HUB
    """ControlNetHED.pth, its folder, or a name on the hub; needed where a manifest has online HED."""
    lineart_weights: str = HUB
    """sk_model.pth, likewise."""

    def __post_init__(self) -> None:
        require_range(self, "control_workers", least=0)
        require_gpus(self, "control_gpus")
        if not self.control_workers and (self.control_gpus or self.address is not None):
            raise ValueError("--control-gpus and --address are of --control-workers, of which there are none")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastOptions:
    """What a run would take, without training and without a GPU."""

    dry_run: _Flag = False
    """Print what would be trained, what it needs and what is missing.
    A stage that was begun counts in full. The exit code is 1 if anything is missing or does not fit."""
    gpu: str = "h100"
    """The GPU whose hours and memory are estimated: rtx4090, l40s, a100, h100, h200 or b200."""
    gpus: int = 1
    """How many of them."""
    utilization: float = 0.45
    """The share of the GPU's peak that is reached, as training shows it."""

    def __post_init__(self) -> None:
        require_range(self, "gpus", least=1)
        require_range(self, "utilization", above=0, most=1)
        gpu_named(self.gpu)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """Train CoLoGen's stages, one after the other.

    Without arguments it trains on the synthetic dataset, whose manifests are built if they are missing.

    If it is interrupted, the same command with --resume continues at the same step.
    """

    recipe: str = "world"
    """A recipe's name (world, world-base, world-small, cologen-flux, world-co-training …), or a .toml file."""
    set: _Many = ()
    """Override a field of the recipe by its dotted name: --set stages.control.learning_rate=5e-5."""
    stage: Annotated[str | None, _unless("all unfinished ones")] = None
    """Train only this stage, by number or task."""
    base: Annotated[Path | None, _unless("the bundled one of world-tiny")] = None
    """The base: a FLUX folder, or weights for a world-… preset."""
    run: Annotated[RunOptions, tyro.conf.OmitArgPrefixes] = RunOptions()
    data: Annotated[DataOptions, tyro.conf.OmitArgPrefixes] = DataOptions()
    machine: Annotated[MachineOptions, tyro.conf.OmitArgPrefixes] = MachineOptions()
    online: Annotated[ControlOptions, tyro.conf.OmitArgPrefixes, tyro.conf.arg(name="online-control")] = (
        ControlOptions()
    )
    forecast: Annotated[ForecastOptions, tyro.conf.OmitArgPrefixes] = ForecastOptions()


def parsed(args: Sequence[str] | None = None) -> TrainOptions:
    """The options that some arguments mean (None: the process's own); wrong ones end the process with 2."""
    shown = (tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone)
    return tyro.cli(TrainOptions, prog="train", args=args, config=shown)
