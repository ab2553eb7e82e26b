"""Sinks of scalars and pictures: TensorBoard, and Weights & Biases where it is installed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from cologen.trainer.recipes.curriculum import Recipe

Pictures = Mapping[str, UInt8[np.ndarray, "height width 3"]]
"""RGB by name."""

TENSORBOARD = "tensorboard"


@runtime_checkable
class Sink(Protocol):
    """Takes the scalars and pictures of one stage."""

    def write(self, scalars: Mapping[str, float], step: int) -> None:
        """The scalars after ``step`` steps of the stage."""
        ...

    def show(self, pictures: Pictures, step: int) -> None:
        """Pictures after ``step`` steps of the stage, by name."""
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

    def show(self, pictures: Pictures, step: int) -> None:
        """See ``Sink``."""
        for name, pixels in pictures.items():
            self._writer.add_image(name, pixels, step, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        """See ``Sink``."""
        self._writer.close()


class WeightsAndBiases:
    """One run of Weights & Biases for all stages, the scalars of each under its name.

    A run that goes on is the same run there: ``wandb-id`` in its folder names it. One that goes back to before what was
    logged becomes another run of the same group, since logged points cannot be deleted.
    """

    def __init__(self, folder: Path, recipe: Recipe, *, fresh: bool = False) -> None:
        """``fresh``: begin another run there too, whatever the folder names.

        Raises:
            ValueError: it is not installed, or would not start.
        """
        try:
            import wandb  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ValueError(
                "Weights & Biases is not installed: uv sync --extra wandb, or leave --wandb out"
            ) from error
        self._client: Any = wandb
        self._folder, self._recipe = folder, recipe
        self._run = self._begun(secrets.token_hex(8) if fresh else _identity(folder))

    def stage(self, name: str) -> Sink:
        """For the scalars of one stage, which are drawn over its own steps."""
        (self._folder / _IDENTITY).write_text(self._run.id)
        self._run.define_metric(f"{name}/*", step_metric=f"{name}/step")
        return _Section(self._run, name, self._client.Image)

    def rewound(self) -> None:
        """End the present run there, which holds steps that were deleted here, and begin another in its group.

        The remaining steps have to be logged again by the caller.
        """
        self._run.finish()
        self._run = self._begun(secrets.token_hex(8))

    def _begun(self, identity: str) -> Any:
        try:
            return self._client.init(
                project="cologen",
                group=f"{self._recipe.name} {self._folder.resolve()}",
                id=identity,
                resume="allow",
                name=self._recipe.name,
                dir=str(self._folder),
                config=self._recipe.model_dump(mode="json"),
            )
        except self._client.Error as error:
            raise ValueError(
                f"Weights & Biases would not start: {error}. Run `wandb login`, set WANDB_MODE=offline, or leave "
                "--wandb out"
            ) from error

    def finish(self, *, failed: bool) -> None:
        """Send what is left."""
        self._run.finish(exit_code=int(failed))


_IDENTITY = "wandb-id"


def _identity(folder: Path) -> str:
    path = folder / _IDENTITY
    return path.read_text() if path.exists() else secrets.token_hex(8)


class _Section:
    def __init__(self, run: Any, name: str, image: Callable[[Any], Any]) -> None:
        self._run, self._name, self._image = run, name, image

    def write(self, scalars: Mapping[str, float], step: int) -> None:
        named = {f"{self._name}/{name}": value for name, value in scalars.items()}
        self._run.log({**named, f"{self._name}/step": step})

    def show(self, pictures: Pictures, step: int) -> None:
        if pictures:
            named = {f"{self._name}/{name}": self._image(pixels) for name, pixels in pictures.items()}
            self._run.log({**named, f"{self._name}/step": step})

    def close(self) -> None:
        pass
