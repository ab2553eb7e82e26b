"""The grounding policy: every number that decides what is marked and how, as one frozen part of a recipe."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Referring = Literal["box", "mask", "instance"]
REFERRINGS: tuple[Referring, ...] = ("box", "mask", "instance")


class ReferringMix(BaseModel):
    """The shares of the three tasks of section 2.3 of the paper, which does not say them; they sum to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    box: float = Field(default=1 / 3, ge=0)
    mask: float = Field(default=1 / 3, ge=0)
    instance: float = Field(default=1 / 3, ge=0)

    @model_validator(mode="after")
    def _sums_to_one(self) -> ReferringMix:
        if not math.isclose(self.box + self.mask + self.instance, 1.0, abs_tol=1e-9):
            raise ValueError(f"shares must sum to 1, got {self.box} + {self.mask} + {self.instance}")
        return self


class GroundingPolicy(BaseModel):
    """Everything that decides what is marked, given a picture's objects and a seed.

    Areas are fractions of the picture, line widths of its side √(height × width), opacities are in (0, 1].
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mix: ReferringMix = ReferringMix()
    line_width: tuple[float, float] = (0.006, 0.012)
    """The range of a frame's line: 3 to 6 pixels at 512 x 512, and at least one pixel anywhere."""
    opacity: tuple[float, float] = (0.4, 0.7)
    """The range of a mask's opacity."""
    all_instances: float = Field(default=0.2, ge=0, le=1)
    """How often a whole class is meant ("all dogs") in box and mask samples of pictures that have expressions too."""
    negative: float = Field(default=0.0, ge=0, le=1)
    """How often a picture that is known to lack something is asked for it: a negative sample, whose target is the
    picture itself."""
    inverse: float = Field(default=0.0, ge=0, le=1)
    """How often the marks are to be removed: source and target change places. Negatives have no marks to remove."""
    min_object_area: float = Field(default=0.002, ge=0, lt=1)
    """Smaller objects are never marked."""
    max_object_area: float = Field(default=0.9, gt=0, le=1)
    max_targets: int = Field(default=10, ge=1)
    """Words that mean more objects than this are not used: their marks would hide each other."""

    @model_validator(mode="after")
    def _can_be_met(self) -> GroundingPolicy:
        for name, (low, high) in (("line_width", self.line_width), ("opacity", self.opacity)):
            if not 0 < low <= high <= 1:
                raise ValueError(f"{name} must be a rising range within (0, 1], got {low} to {high}")
        if self.min_object_area > self.max_object_area:
            raise ValueError(f"min_object_area {self.min_object_area} exceeds max_object_area {self.max_object_area}")
        if self.inverse > 0 and self.opacity[1] == 1:
            raise ValueError("inverse samples need an opacity below 1: what an opaque mask hides cannot be seen")
        return self

    def line_pixels(self, share: float, height: int, width: int) -> int:
        """The width in pixels of a line of this share in a picture of this size."""
        return max(1, round(share * math.sqrt(height * width)))


BOLD = GroundingPolicy(line_width=(0.05, 0.07))
"""For pictures of the synthetic dataset that are made smaller: frames of 3 to 4 pixels in 64, which are 2 in 32."""
