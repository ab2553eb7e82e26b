"""What each field of a recipe does to a run, declared at the field: it says when the field may change.

``clip: Remedy[float]`` is ``clip: float`` with that declaration. A recipe's models refuse a field that has none.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, TypeVar

_Value = TypeVar("_Value")


class Effect(Enum):
    """When a field may change while a stage that it concerns is being trained."""

    SHAPE = "never: it decides which weights there are, or what the optimizer keeps for them"
    NUMBERS = "in a new run that branches off: it decides what is computed"
    REMEDY = "also in a run that stopped for losses that were not finite, whose message advises it"
    FREE = "whenever a run goes on: it decides only how a run is computed, logged and saved, and when it gives up"


Shape = Annotated[_Value, Effect.SHAPE]
Numbers = Annotated[_Value, Effect.NUMBERS]
Remedy = Annotated[_Value, Effect.REMEDY]
Free = Annotated[_Value, Effect.FREE]
