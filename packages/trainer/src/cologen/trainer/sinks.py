"""Where scalars are looked at while a run goes on: TensorBoard, and Weights & Biases where it is installed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from cologen.trainer.curriculum import Recipe

TENSORBOARD = "tensorboard"


@runtime_checkable
class Sink(Protocol):
    """Takes the scalars of one stage."""

    def write(self, scalars: Mapping[str, float], step: int) -> None:
        """The scalars after ``step`` steps of the stage."""
        ...

    def close(self) -> None:
        """Nothing more comes of this stage."""
        ...


class TensorBoard:
    """A TensorBoard run in a folder; what was logged there after ``first_step`` steps before is not shown again."""

    def __init__(self, folder: Path, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # slow to import, and only the first process writes

        self._writer: Any = SummaryWriter(str(folder), purge_step=first_step + 1)

    def write(self, scalars: Mapping[str, float], step: int) -> None:
        """See ``Sink``."""
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """See ``Sink``."""
        self._writer.close()


class WeightsAndBiases:
    """One run of Weights & Biases for all stages, the scalars of each under its name.

    A run that goes on is the same run there: ``wandb-id`` in its folder names it.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        """Raises ValueError: it is not installed, or would not start."""
        try:
            import wandb  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ValueError(
                "Weights & Biases is not installed: uv sync --extra wandb, or leave --wandb out"
            ) from error
        client: Any = wandb
        try:
            self._run: Any = client.init(
                project="cologen",
                id=_identity(folder),
                resume="allow",
                name=recipe.name,
                dir=str(folder),
                config=recipe.model_dump(mode="json"),
            )
        except client.Error as error:
            raise ValueError(
                f"Weights & Biases would not start: {error}. Run `wandb login`, set WANDB_MODE=offline, or leave "
                "--wandb out"
            ) from error

    def stage(self, name: str) -> Sink:
        """For the scalars of one stage, which are drawn over its own steps."""
        self._run.define_metric(f"{name}/*", step_metric=f"{name}/step")
        return _Section(self._run, name)

    def finish(self, *, failed: bool) -> None:
        """Send what is left."""
        self._run.finish(exit_code=int(failed))


def _identity(folder: Path) -> str:
    path = folder / "wandb-id"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(secrets.token_hex(8))
    return path.read_text()


class _Section:
    def __init__(self, run: Any, name: str) -> None:
        self._run, self._name = run, name

    def write(self, scalars: Mapping[str, float], step: int) -> None:
        named = {f"{self._name}/{name}": value for name, value in scalars.items()}
        self._run.log({**named, f"{self._name}/step": step})

    def close(self) -> None:
        pass
