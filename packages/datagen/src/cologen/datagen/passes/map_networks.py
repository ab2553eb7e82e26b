"""The networks that precompute maps, as a recipe records them, and the paths of their weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from cologen.datagen.pair_records import ConditionKind
from cologen.datagen.passes.segmenters import WeightFile

_DPT_FILE = "model.safetensors"


class MapsRecipe(BaseModel):
    """The weights of the precomputed kinds of maps, None for the others.

    Those of HED and lineart are extracted online then, and those of depth come from the dataset alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    depth: WeightFile | None = None
    hed: WeightFile | None = None
    lineart: WeightFile | None = None
    batch_size: int = Field(default=8, ge=1)
    """Pictures of one size that a network sees at once; on a GPU it decides the last bits of a map."""

    @property
    def kinds(self) -> frozenset[ConditionKind]:
        """The precomputed kinds."""
        named: dict[ConditionKind, WeightFile | None] = {"depth": self.depth, "hed": self.hed, "lineart": self.lineart}
        return frozenset(kind for kind, file in named.items() if file)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapWeights:
    """The paths of the weights, and their device; ``depth`` is DPT's folder, the others are files."""

    depth: Path | None = None
    hed: Path | None = None
    lineart: Path | None = None
    device: str = "auto"

    def recipe(self, batch_size: int) -> MapsRecipe:
        """The recipe of these weights, hashed.

        Raises:
            FileNotFoundError: a file is missing.
        """
        return MapsRecipe(
            depth=self.depth and WeightFile.of(self.depth / _DPT_FILE),
            hed=self.hed and WeightFile.of(self.hed),
            lineart=self.lineart and WeightFile.of(self.lineart),
            batch_size=batch_size,
        )
