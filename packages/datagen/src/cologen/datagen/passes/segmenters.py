"""What decides which objects are found, as a recipe records it, and where the segmenter's weights are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cologen.datagen.concepts.detector_settings import DetectorSettings
from cologen.datagen.concepts.saliency import SaliencySettings
from cologen.datagen.engine.parts import DatasetRecipe
from cologen.datagen.manifest.schemas import Task
from cologen.datagen.model_files import sha256_of


class SaliencyRecipe(BaseModel):
    """The weight-free default: salient regions cut out by GrabCut. Its objects have no names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Literal["saliency+grabcut"] = "saliency+grabcut"
    settings: SaliencySettings = SaliencySettings()


class WeightFile(BaseModel):
    """A file of weights, identified by its content."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    sha256: str

    @classmethod
    def of(cls, path: Path) -> WeightFile:
        """The file's name and hash.

        Raises:
            FileNotFoundError: there is no such file.
        """
        if not path.is_file():
            raise FileNotFoundError(f"no file of weights at {path}")
        return cls(name=path.name, sha256=sha256_of(path))


class GroundedRecipe(BaseModel):
    """The paper's way: GroundingDINO finds the caption's nouns, Segment Anything draws their masks."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Literal["groundingdino+sam"] = "groundingdino+sam"
    config: WeightFile
    checkpoint: WeightFile
    sam: WeightFile
    text_encoder: str
    detector: DetectorSettings = DetectorSettings()
    mask_iou: float = Field(default=1.0, ge=0, le=1)
    """Of two masks that overlap by more, the better one stays; 1 keeps both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundedFiles:
    """The paths of GroundingDINO's and SAM's original files, and their device."""

    config: Path
    checkpoint: Path
    sam: Path
    text_encoder: str = "bert-base-uncased"
    device: str = "auto"

    def recipe(self, detector: DetectorSettings, mask_iou: float) -> GroundedRecipe:
        """The recipe of these files, hashed."""
        return GroundedRecipe(
            config=WeightFile.of(self.config),
            checkpoint=WeightFile.of(self.checkpoint),
            sam=WeightFile.of(self.sam),
            text_encoder=Path(self.text_encoder).name,
            detector=detector,
            mask_iou=mask_iou,
        )


SegmenterRecipe = SaliencyRecipe | GroundedRecipe


class ConceptRecipe(BaseModel):
    """All that decides which objects are found."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    source: DatasetRecipe
    nouns: str
    """The noun extractor by name and version; what is installed decides it, so it is recorded resolved."""
    segmenter: SegmenterRecipe = Field(discriminator="name")
    batch_size: int = Field(default=8, ge=1)

    @property
    def task(self) -> Task:
        """The task of its rows."""
        return "concepts"

    @property
    def seed(self) -> int:
        """Nothing is drawn by chance."""
        return 0

    @property
    def mix_asked(self) -> dict[str, float]:
        """Pictures have no kinds here."""
        return {}
