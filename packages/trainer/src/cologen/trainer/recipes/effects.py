"""The effect of each field of a recipe on a run, declared at the field: it says when the field may change.

``clip: Remedy[float]`` is ``clip: float`` with that declaration. A recipe's models refuse a field that has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator

_Value = TypeVar("_Value")
_Part = TypeVar("_Part", bound="RecipePart")


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

_NUMBERS: tuple[Any, ...] = (int, float)
_WHOLE = {"whole": True}


class RecipePart(BaseModel):
    """A frozen part of a recipe: unknown fields, NaN and infinity are refused, and so is a field without an effect."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    later: ClassVar[tuple[str, ...]] = ()
    """Fields that older recipes do not have: left out of the plain values where they hold their default, so that such
    recipes are saved, hashed and compared as before; ``whole`` has them all the same."""

    def whole(self) -> dict[str, Any]:
        """Every field as a plain value, those of ``later`` included."""
        return self.model_dump(context=_WHOLE)

    @model_serializer(mode="wrap")
    def _plain(self, values: Callable[[Any], dict[str, Any]], info: Any) -> dict[str, Any]:
        if info.context is _WHOLE:
            return values(self)
        fields = type(self).model_fields
        absent = {name for name in self.later if getattr(self, name) == fields[name].default}
        return {name: value for name, value in values(self).items() if name not in absent}

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        for name, field in cls.model_fields.items():
            if effect_of(cls, name) is None and parts_of(field.annotation) is None:
                raise TypeError(f"{cls.__name__}.{name}: declare its effect (Free[…], Numbers[…] …), see effects.py")

    @model_validator(mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            numbers = [name for name, field in cls.model_fields.items() if field.annotation in _NUMBERS]
            if wrong := [name for name in numbers if isinstance(values.get(name), bool)]:
                raise ValueError(f"{', '.join(wrong)}: expected a number, got true or false")
        return values

    def replace(self: _Part, **changes: object) -> _Part:
        """The same with these fields changed, checked anew."""
        return type(self).model_validate(dict(self) | changes)


def effect_of(model: type[BaseModel], field: str) -> Effect | None:
    """What is declared of a field; None for one whose value is a model, whose own fields declare it."""
    return next((each for each in model.model_fields[field].metadata if isinstance(each, Effect)), None)


def parts_of(annotation: object) -> type[BaseModel] | None:
    """The model that a field holds, once or several times; None for a field of plain values."""
    kinds = [each for each in (annotation, *get_args(annotation)) if isinstance(each, type)]
    return next((kind for kind in kinds if issubclass(kind, RecipePart)), None)


def model_at(model: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel]:
    """The model that holds the fields at a place in another, as pydantic names places."""
    for name in place:
        if isinstance(name, str):
            found = parts_of(model.model_fields[name].annotation)
            assert found is not None
            model = found
    return model
