"""The mask pass of inpainting, stage 0 of the curriculum: one row per picture and variant, each with one mask.

The objects come from the dataset's own annotations or from a concept manifest, by the same rule: ``images`` of a part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cologen.datagen.engine.jobs import Pass
from cologen.datagen.engine.parts import DatasetRecipe, Part
from cologen.datagen.faults import attempt
from cologen.datagen.manifest import PartContent
from cologen.datagen.manifest.schemas import Task
from cologen.datagen.masks.drawing import Canvas, DrawnMask
from cologen.datagen.masks.mixture import draw_masks
from cologen.datagen.masks.policy import MaskPolicy
from cologen.datagen.passes.concepts import ConceptPass, concepts_of
from cologen.datagen.passes.reading import Reader, image_key, read_items
from cologen.datagen.passes.rows import common_columns
from cologen.datagen.passes.segmenters import ConceptRecipe
from cologen.datagen.randomness import derived_seed
from cologen.datagen.records import Image, RejectedError, Rejection


class InpaintRecipe(BaseModel):
    """All that decides the rows of an inpainting manifest; ``concepts`` is None where the dataset has object masks."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    source: DatasetRecipe
    concepts: ConceptRecipe | None = None
    seed: int = Field(default=0, ge=0)
    variants: int = Field(default=1, ge=1)
    """How many masks each picture gets, every one with its own caption where there are several."""
    policy: MaskPolicy = MaskPolicy()

    @property
    def task(self) -> Task:
        """The task of its rows."""
        return "inpaint"

    @property
    def mix_asked(self) -> dict[str, float]:
        """The share asked of each kind of mask."""
        return self.policy.mix.model_dump()


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskPass(Pass):
    """Masks over the pictures of ``reader``; their objects from ``concepts`` if it is given."""

    recipe: InpaintRecipe
    reader: Reader[Image]
    concepts: ConceptPass | None = None

    def open(self) -> Callable[[Part], PartContent]:
        """Draws the masks of a part."""
        if self.concepts is None:
            dataset = self.reader.open()
            return lambda part: self._draw(part, *read_items(dataset, part))
        concepts = self.concepts
        return lambda part: self._draw(part, *concepts_of(concepts, part))

    def _draw(self, part: Part, images: list[Image], rejections: list[Rejection]) -> PartContent:
        samples = {
            f"{image_key(self.recipe.source.name, image.image_id)}#{variant}": image
            for image in images
            for variant in range(self.recipe.variants)
        }
        canvases = [
            Canvas(sample_id=sample_id, height=image.height, width=image.width, objects=image.objects)
            for sample_id, image in samples.items()
        ]
        rows: list[dict[str, Any]] = []
        first = part.start * self.recipe.variants
        masks = draw_masks(canvases, self.recipe.policy, self.recipe.seed, first)
        for (sample_id, image), mask in zip(samples.items(), masks, strict=True):
            row = attempt(partial(self._row, sample_id, image, mask)) if isinstance(mask, DrawnMask) else mask
            if isinstance(row, RejectedError):
                rejections.append(row.of(sample_id, "masks"))
            else:
                rows.append(row)
        return PartContent.of("inpaint", rows, rejections)

    def _row(self, sample_id: str, image: Image, mask: DrawnMask) -> dict[str, Any]:
        seed = derived_seed(self.recipe.seed, sample_id)
        target = mask.target
        return common_columns(self.recipe, sample_id, image, image.captions[seed % len(image.captions)]) | {
            "mask_kind": mask.kind,
            "mask_rle": mask.counts,
            "mask_area": mask.area,
            "object_noun": target and target.noun,
            "object_box": target and target.box.xyxy(),
            "object_rle": target and target.rle,
            "object_score": target and target.score,
            "max_object_iou": mask.max_object_iou,
            "max_object_coverage": mask.max_object_coverage,
        }
