"""The mask policy: every number that decides which mask a picture gets, as one frozen part of a recipe."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cologen.datagen.masks.irregular import IrregularShape
from cologen.datagen.masks.strokes import PRESETS


class MaskMix(BaseModel):
    """The shares of the three kinds of mask (20 / 40 / 40 % in section 2.3 of the paper); they sum to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    random: float = Field(default=0.2, ge=0)
    object: float = Field(default=0.4, ge=0)
    irregular: float = Field(default=0.4, ge=0)

    @model_validator(mode="after")
    def _sums_to_one(self) -> MaskMix:
        if not math.isclose(self.random + self.object + self.irregular, 1.0, abs_tol=1e-9):
            raise ValueError(f"shares must sum to 1, got {self.random} + {self.object} + {self.irregular}")
        return self


class MaskPolicy(BaseModel):
    """Everything that decides a mask, given a picture's objects and a seed; areas are fractions of the picture."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mix: MaskMix = MaskMix()
    random_preset: str = "train"
    max_object_iou: float = Field(default=0.3, gt=0, le=1)
    """The paper's rule: a random mask that overlaps any object more than this is drawn anew."""
    max_object_coverage: float = Field(default=1.0, gt=0, le=1)
    """Ours: the most of any object that a random mask may hide; 1 leaves the paper's rule alone."""
    tries: int = Field(default=20, ge=1)
    irregular: IrregularShape = IrregularShape()
    dilation: float = Field(default=0.0, ge=0)
    """How far an object mask grows, in pixels on a picture whose √(height × width) is 512."""
    min_object_area: float = Field(default=0.005, ge=0, lt=1)
    """Smaller objects are never the target of a mask, though the IoU rule sees them."""
    max_object_area: float = Field(default=0.8, gt=0, le=1)

    @model_validator(mode="after")
    def _can_be_met(self) -> MaskPolicy:
        if self.random_preset not in PRESETS:
            raise ValueError(f"no preset {self.random_preset!r}; there are {', '.join(PRESETS)}")
        if self.min_object_area > self.max_object_area:
            raise ValueError(f"min_object_area {self.min_object_area} exceeds max_object_area {self.max_object_area}")
        return self
