"""The control policy: every number that decides which conditions are made, as one frozen part of a recipe."""

from __future__ import annotations

import math
from collections.abc import Collection

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cologen.datagen.control.edges import ThresholdRanges
from cologen.datagen.pair_records import ConditionKind

KINDS: tuple[ConditionKind, ...] = ("canny", "depth", "hed", "lineart", "segmentation")
ANYWHERE: frozenset[ConditionKind] = frozenset(("canny", "hed", "lineart"))
"""The kinds that are made of the picture alone, whatever the dataset has."""
ONLINE: frozenset[ConditionKind] = frozenset(("hed", "lineart"))
"""The kinds that are extracted when a batch is made, unless their maps were precomputed."""
HUB = "lllyasviel/Annotators"
"""The published weights of HED and lineart, by the hub's name."""


class ConditionMix(BaseModel):
    """The shares of the kinds of condition, which the paper does not say; they sum to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    canny: float = Field(default=0.2, ge=0)
    depth: float = Field(default=0.2, ge=0)
    hed: float = Field(default=0.2, ge=0)
    lineart: float = Field(default=0.2, ge=0)
    segmentation: float = Field(default=0.2, ge=0)

    @classmethod
    def equal(cls, kinds: Collection[ConditionKind]) -> ConditionMix:
        """The same share for each of these kinds."""
        return cls.model_validate({kind: 1 / len(kinds) if kind in kinds else 0.0 for kind in KINDS})

    @model_validator(mode="after")
    def _sums_to_one(self) -> ConditionMix:
        shares = list(self.shares().values())
        if not math.isclose(sum(shares), 1.0, abs_tol=1e-9):
            raise ValueError(f"shares must sum to 1, got {' + '.join(map(str, shares))}")
        return self

    def shares(self) -> dict[ConditionKind, float]:
        """The shares of the kinds that are asked for."""
        return {kind: share for kind in KINDS if (share := getattr(self, kind)) > 0}


class ControlPolicy(BaseModel):
    """Everything that decides which condition a picture gets, given what the dataset has and a seed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mix: ConditionMix = ConditionMix()
    thresholds: ThresholdRanges = ThresholdRanges()
    max_stretch: float = Field(default=1 / 16, ge=0)
    """A dataset's map whose proportions differ by more (see ``alignment.stretch``) is not the picture's."""
