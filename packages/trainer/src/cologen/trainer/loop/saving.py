"""Writes a learner's weights, optimizer state and moving average to a checkpoint, and reads them back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save, save_file
from torch import Tensor

from cologen.model.adapters import save_adapter
from cologen.model.files import write_atomically
from cologen.model.transformer import WovenTransformer
from cologen.trainer.distributed import Processes, sharded_like, whole, whole_experts
from cologen.trainer.loop.checkpoint import ADAPTER, BASE, CHECKPOINTS, TRAINING, Checkpoint, StageProgress, commit
from cologen.trainer.loop.learner import Learner

_NUMBER = ":number"
"""Suffix of the optimizer's values that are plain numbers, not tensors."""


def save_checkpoint(
    run: Path, progress: StageProgress, model: WovenTransformer, learner: Learner, processes: Processes
) -> None:
    """Write a checkpoint; all processes have to call this, the first one writes.

    Raises:
        OSError: it could not be written: the checkpoints before it are as they were.
        RuntimeError: so in the other processes.
    """
    weights = whole_experts(model) | {name: whole(weight.detach()).cpu() for name, weight in learner.trained.items()}
    training = {f"average.{name}": whole(value).cpu() for name, value in learner.average.items()}
    # Copied on a CPU too: 8-bit optimizers have one code for all weights, and the format refuses shared tensors.
    training |= {name: value.to("cpu", copy=True) for name, value in _optimizer_state(learner).items()}
    processes.first_does(
        lambda: _write(run / CHECKPOINTS / progress.name, progress, model, weights, training), "writing a checkpoint"
    )


def save_base(path: Path, weights: Mapping[str, Tensor]) -> None:
    """The weights of a base in bf16, as ``--base`` reads them for a ``world-…`` preset."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {name: value.to(torch.bfloat16).contiguous() for name, value in weights.items() if ".prw." not in name}
    write_atomically(path, save(kept))


def load_training(checkpoint: Checkpoint, learner: Learner) -> None:
    """Load optimizer state and moving average; the weights themselves are loaded from the adapter or the base.

    Raises:
        ValueError: they are of other weights.
    """
    found = load_file(checkpoint.folder / TRAINING)
    for name, weight in learner.trained.items():
        inside = f"optimizer.{name}."
        state = {key.removeprefix(inside): value for key, value in found.items() if key.startswith(inside)}
        if checkpoint.progress.step > checkpoint.progress.num_skipped and not state:
            raise ValueError(f"{checkpoint.folder} holds no optimizer state of {name}: it is of another recipe")
        learner.optimizer.state[weight] = {
            key.removesuffix(_NUMBER): value.item() if key.endswith(_NUMBER) else _placed(value, weight)
            for key, value in state.items()
        }
        if learner.average and f"average.{name}" in found:  # the parent of a branched run may have had no average
            learner.average[name].copy_(sharded_like(found[f"average.{name}"], weight))
    learner.num_skipped = checkpoint.progress.num_skipped
    learner.num_updates = checkpoint.progress.step - checkpoint.progress.num_skipped


def _placed(value: Tensor, weight: Tensor) -> Tensor:
    """Where an optimizer keeps what belongs to a weight: beside it, but single numbers on the CPU."""
    if value.shape == weight.shape:
        return sharded_like(value, weight)
    return value.to(weight.device) if value.dim() else value


def _optimizer_state(learner: Learner) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, weight in learner.trained.items():
        for key, value in learner.optimizer.state.get(weight, {}).items():
            if isinstance(value, Tensor):
                found[f"optimizer.{name}.{key}"] = whole(value.detach())
            else:
                found[f"optimizer.{name}.{key}{_NUMBER}"] = torch.tensor(value)
    return found


def _write(
    folder: Path,
    progress: StageProgress,
    model: WovenTransformer,
    weights: dict[str, Tensor],
    training: dict[str, Tensor],
) -> None:
    def fill(into: Path) -> None:
        if model.num_experts:
            save_adapter(model, into / ADAPTER, weights=weights, notes={"step": progress.step})
        else:
            _save_file(weights, into / BASE)
        _save_file({name: value.contiguous() for name, value in training.items()}, into / TRAINING)

    commit(folder, progress, fill)


def _save_file(weights: dict[str, Tensor], path: Path) -> None:
    try:
        save_file(weights, path)
    except SafetensorError as error:  # how safetensors says that the disk is full
        raise OSError(f"{path.name}: {error}") from error
