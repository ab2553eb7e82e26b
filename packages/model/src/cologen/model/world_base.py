"""The bundled bases: small models of the synthetic dataset."""

from __future__ import annotations

from pathlib import Path

_BASES = Path(__file__).parent / "bases"


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
            "-base, and give its base.safetensors with --base"
        )
    return path
