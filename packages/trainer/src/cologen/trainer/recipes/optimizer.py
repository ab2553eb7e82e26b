"""How a recipe's weights are optimized."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from cologen.trainer.recipes.effects import Numbers, RecipePart, Shape

SMALLEST, LARGEST = 2.0**-126, (2 - 2.0**-23) * 2.0**127
"""Of the normal positive numbers of float32."""


def _of_float32(value: float) -> float:
    if value and not SMALLEST <= abs(value) <= LARGEST:
        raise ValueError(f"it is computed with in float32, whose numbers go from {SMALLEST:.3g} to {LARGEST:.3g}")
    return value


Float32 = Annotated[float, AfterValidator(_of_float32)]
"""A number by which weights, gradients or logits are multiplied, or which is added to them. Shares, betas and decays
enter as differences from 1, computed in float64."""
Beta = Annotated[float, Field(ge=0, lt=1)]


class Optimizer(RecipePart):
    """AdamW for all weights, or Muon for the matrices of the transformer's blocks and AdamW for the rest."""

    later: ClassVar[tuple[str, ...]] = ("kind",)

    kind: Shape[Literal["adamw", "muon"]] = "adamw"
    betas: Numbers[tuple[Beta, Beta]] = (0.9, 0.999)
    eps: Numbers[Float32] = Field(default=1e-8, gt=0)
    weight_decay: Numbers[Float32] = Field(default=0.01, ge=0)
    eight_bit: Shape[bool] = False

    @model_validator(mode="after")
    def _agrees(self) -> Optimizer:
        if self.eight_bit and self.kind != "adamw":
            raise ValueError(f"eight_bit is for kind adamw, got {self.kind}")
        return self
