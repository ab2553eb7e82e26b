"""Spatial predicates with their words: places in the picture and relations between two objects.

Every predicate answers with a degree, in fractions of the picture's sides: true above 0, and clear to the eye above
``SLACK``. ``x`` and ``y`` hold for any side ratio, so "left of" does too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cologen.datagen.world.objects import SceneObject

SLACK = 0.05
"""Nearer to a border of meaning than this, people might disagree."""

_SIDE, _CORNER, _MIDDLE = 0.4, 0.38, 0.15
_APART = 0.08


@dataclass(frozen=True, slots=True)
class Place:
    """A region of the picture; ``phrases`` follow a noun."""

    phrases: tuple[str, ...]
    degree: Callable[[SceneObject], float]


@dataclass(frozen=True, slots=True)
class Relation:
    """Where one object is as seen from another; ``phrases`` stand between their nouns."""

    phrases: tuple[str, ...]
    degree: Callable[[SceneObject, SceneObject], float]


PLACES: Mapping[str, Place] = MappingProxyType(
    {
        "left": Place(("on the left", "on the left side"), lambda a: _SIDE - a.x),
        "right": Place(("on the right", "on the right side"), lambda a: a.x - (1 - _SIDE)),
        "top": Place(("at the top", "near the top"), lambda a: _SIDE - a.y),
        "bottom": Place(("at the bottom", "near the bottom"), lambda a: a.y - (1 - _SIDE)),
        "middle": Place(("in the middle", "at the center"), lambda a: _MIDDLE - max(abs(a.x - 0.5), abs(a.y - 0.5))),
        "top left": Place(("in the top left corner", "at the upper left"), lambda a: _CORNER - max(a.x, a.y)),
        "top right": Place(("in the top right corner", "at the upper right"), lambda a: _CORNER - max(1 - a.x, a.y)),
        "bottom left": Place(("in the bottom left corner", "at the lower left"), lambda a: _CORNER - max(a.x, 1 - a.y)),
        "bottom right": Place(
            ("in the bottom right corner", "at the lower right"), lambda a: _CORNER - max(1 - a.x, 1 - a.y)
        ),
    }
)

RELATIONS: Mapping[str, Relation] = MappingProxyType(
    {
        "left of": Relation(("to the left of", "left of"), lambda a, b: _mainly(b.x - a.x, b.y - a.y)),
        "right of": Relation(("to the right of", "right of"), lambda a, b: _mainly(a.x - b.x, a.y - b.y)),
        "above": Relation(("above", "higher up than"), lambda a, b: _mainly(b.y - a.y, b.x - a.x)),
        "below": Relation(("below", "lower down than"), lambda a, b: _mainly(a.y - b.y, a.x - b.x)),
    }
)


def _mainly(along: float, across: float) -> float:
    """The distance of one thing along a direction, and further than across it."""
    return min(along - _APART, along - abs(across))
