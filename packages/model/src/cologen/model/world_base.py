"""The bundled weights: small bases of the synthetic dataset, and the adapters that were trained on them."""

from __future__ import annotations

from pathlib import Path

from cologen.model.tasks import TASK_NAMES, TaskName

_BASES, _ADAPTERS = (Path(__file__).parent / name for name in ("bases", "trained_adapters"))


def packaged_base(preset: str) -> Path:
    """The file of a preset's base.

    Raises:
        FileNotFoundError: none comes with the project for this preset.
    """
    path = _BASES / f"{preset}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in _BASES.glob("*.safetensors"))) or "none"
        raise FileNotFoundError(
            f"no base of {preset} comes with the project (there is {known}): make one with the recipe that ends in "
            "-base, and give its base.safetensors: to train with --base, elsewhere with --weights"
        )
    return path


def packaged_adapter(preset: str) -> Path | None:
    """The adapter of all stages that stands on a preset's bundled base; None: none comes with the project."""
    path = _ADAPTERS / preset
    return path if path.is_dir() else None


def packaged_stage(task: TaskName) -> int:
    """The stage of a bundled adapter that trained this task: later ones cost it a part of what it had learned
    (docs/results.md)."""
    return TASK_NAMES.index(task)
