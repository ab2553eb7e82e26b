"""The pass of image grounding, stage 1 of the curriculum: one row per picture and variant, each with its marks.

A row names the marks, not their pixels: boxes or a mask, a colour that can be seen there, a line width or an opacity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cologen.datagen import rle
from cologen.datagen.engine.jobs import Pass
from cologen.datagen.engine.parts import DatasetRecipe, Part
from cologen.datagen.faults import attempt
from cologen.datagen.grounding import marks
from cologen.datagen.grounding.palette import PALETTE, Color, choose
from cologen.datagen.grounding.phrasing import Phrase, instruction
from cologen.datagen.grounding.policy import GroundingPolicy
from cologen.datagen.grounding.referring import Referral, draw_referrals
from cologen.datagen.images import Picture
from cologen.datagen.images.glance import glance
from cologen.datagen.manifest import PartContent
from cologen.datagen.manifest.schemas import Task
from cologen.datagen.passes.reading import Reader, image_key, read_items
from cologen.datagen.passes.rows import common_columns
from cologen.datagen.randomness import generator
from cologen.datagen.records import Image, RejectedError, Rejection
from cologen.datagen.rle import Mask

Glance = Callable[[str, tuple[int, int]], Picture]


class GroundingRecipe(BaseModel):
    """All that decides the rows of a grounding manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    source: DatasetRecipe
    seed: int = Field(default=0, ge=0)
    variants: int = Field(default=1, ge=1)
    """How many samples each picture gives."""
    policy: GroundingPolicy = GroundingPolicy()
    contrast: bool = True
    """Look at each picture and take only colours that can be seen where the mark goes; otherwise any colour."""

    @property
    def task(self) -> Task:
        """The task of its rows."""
        return "grounding"

    @property
    def mix_asked(self) -> dict[str, float]:
        """The share asked of each way to refer."""
        return self.policy.mix.model_dump()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundingPass(Pass):
    """Words and marks over the pictures of ``reader``."""

    recipe: GroundingRecipe
    reader: Reader[Image]

    def open(self) -> Callable[[Part], PartContent]:
        """Refers and marks in a part."""
        dataset = self.reader.open()
        # The variants of a picture follow each other, so one glance serves them all.
        look = lru_cache(maxsize=1)(partial(glance, self.reader.root))
        return lambda part: PartContent.of("grounding", *ground(self.recipe, part, *read_items(dataset, part), look))


def ground(
    recipe: GroundingRecipe, part: Part, images: list[Image], rejections: list[Rejection], look: Glance
) -> tuple[list[dict[str, Any]], list[Rejection]]:
    """The rows of these pictures, and all rejections; ``rejections`` are earlier ones, passed on."""
    samples = {
        f"{image_key(recipe.source.name, image.image_id)}#{variant}": image
        for image in images
        for variant in range(recipe.variants)
    }
    rows, rejections = list[dict[str, Any]](), list(rejections)
    referrals = draw_referrals(samples, recipe.policy, recipe.seed, part.start * recipe.variants)
    for (sample_id, image), referral in zip(samples.items(), referrals, strict=True):
        row = referral
        if not isinstance(row, RejectedError):
            row = attempt(partial(_row, recipe, sample_id, image, row, look), skip_unreadable=part.skip_unreadable)
        if isinstance(row, RejectedError):
            rejections.append(row.of(sample_id, "grounding"))
        else:
            rows.append(row)
    return rows, rejections


def _row(recipe: GroundingRecipe, sample_id: str, image: Image, referral: Referral, look: Glance) -> dict[str, Any]:
    stream = generator(recipe.seed, sample_id, "marks")
    is_mask = referral.referring == "mask"
    line_width, opacity = _drawn_sizes(recipe.policy, stream, image.height, image.width)
    mask = _covered(image, referral) if is_mask and referral.targets else None
    if recipe.contrast and referral.targets:
        region = _band(image, referral, line_width) if mask is None else mask
        color = _color_seen_on(region, look(image.image_uri, (image.width, image.height)), stream)
    else:
        color = PALETTE[int(stream.integers(len(PALETTE)))]
    words = instruction(referral.referring, referral.phrase, color.name, stream, inverse=referral.inverse)
    return common_columns(recipe, sample_id, image, words) | {
        "referring": referral.referring,
        "phrase": referral.phrase.text,
        "instruction": words,
        # Two annotations may have one box, around which there is one frame.
        "boxes": list(dict.fromkeys(item.box.xyxy() for item in referral.targets)),
        "mask_rle": None if mask is None else rle.encode(mask),
        "color": color.name,
        "color_rgb": color.rgb,
        "line_width": None if is_mask else line_width,
        "opacity": opacity if is_mask else None,
        "inverse": referral.inverse,
        "negative": not referral.targets,
    }


def sizes_of(recipe: GroundingRecipe, row: Mapping[str, Any]) -> tuple[int | None, float | None]:
    """The line width and the opacity that the recipe gives to a row: one of them, the other being None."""
    stream = generator(recipe.seed, row["sample_id"], "marks")
    line_width, opacity = _drawn_sizes(recipe.policy, stream, row["height"], row["width"])
    return (None, opacity) if row["referring"] == "mask" else (line_width, None)


def instructions_of(recipe: GroundingRecipe, row: Mapping[str, Any]) -> set[str]:
    """Every instruction that the recipe may give to a row's phrase and colour.

    They are several where the row does not say what its words were drawn after: how many colours could be seen, and
    whether its phrase asks for one mark or for several.
    """
    looked_at = recipe.contrast and not row["negative"]
    numbers: tuple[Literal["one", "several"], ...] = ("one", "several")
    found = set[str]()
    for num_visible in range(1 if looked_at else len(PALETTE), len(PALETTE) + 1):
        for number in numbers:
            stream = generator(recipe.seed, row["sample_id"], "marks")
            _drawn_sizes(recipe.policy, stream, row["height"], row["width"])
            stream.integers(num_visible)
            phrase = Phrase(text=row["phrase"], marks=number)
            found.add(instruction(row["referring"], phrase, row["color"], stream, inverse=row["inverse"]))
    return found


def _drawn_sizes(policy: GroundingPolicy, stream: np.random.Generator, height: int, width: int) -> tuple[int, float]:
    """A line width in pixels, and an opacity as Parquet keeps it."""
    line_width = policy.line_pixels(stream.uniform(*policy.line_width), height, width)
    return line_width, float(np.float32(stream.uniform(*policy.opacity)))


def _covered(image: Image, referral: Referral) -> Mask:
    """The pixels of all targets."""
    return np.maximum.reduce([rle.decode(item.rle, image.height, image.width) for item in referral.targets])


def _band(image: Image, referral: Referral, line_width: int) -> Mask:
    """The pixels of the frames' lines and as many again on both sides of them, against which a line has to be seen."""
    inner = [item.box.xyxy() for item in referral.targets]
    inner = [(x0 + line_width, y0 + line_width, x1 - line_width, y1 - line_width) for x0, y0, x1, y1 in inner]
    return marks.frames(inner, 3 * line_width, image.height, image.width)


def _color_seen_on(region: Mask, small: Picture, stream: np.random.Generator) -> Color:
    """A colour for the region, chosen on a small copy of its picture."""
    height, width = small.shape[:2]
    touched = cv2.resize(region * 255, (width, height), interpolation=cv2.INTER_AREA) > 0
    return choose(stream, small, touched.view(np.uint8))
