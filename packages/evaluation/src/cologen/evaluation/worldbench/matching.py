"""Which of the objects that should be there were read: each read object stands for one of them at most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from scipy.optimize import linear_sum_assignment

from cologen.datagen.world.directions import PLACES, SLACK
from cologen.datagen.world.objects import SceneObject
from cologen.evaluation.worldbench.reading import ReadObject
from cologen.evaluation.worldbench.statements import StatedObject

Wanted = TypeVar("Wanted")

NEAR = 1 / 16
"""How far a middle may be off along each axis, as a fraction of the side, for an object to be where it was."""


def matched(
    wanted: Sequence[Wanted], found: Sequence[ReadObject], degree: Callable[[Wanted, ReadObject], float]
) -> tuple[ReadObject | None, ...]:
    """For each wanted object the found one that is it, or None, so that the sum of the degrees is largest.

    A ``degree`` of 0 says that the found object is another one.
    """
    degrees = np.array([[degree(one, other) for other in found] for one in wanted]).reshape(len(wanted), len(found))
    partners: list[ReadObject | None] = [None] * len(wanted)
    for i, j in zip(*linear_sum_assignment(-degrees), strict=True):
        if degrees[i, j] > 0:
            partners[i] = found[j]
    return tuple(partners)


def in_place(thing: SceneObject, found: ReadObject) -> float:
    """1 for an object of this shape and colour whose middle is where it should be, else 0; its size is not compared."""
    return float(_is_near(thing, found) and (found.shape, found.color) == (thing.shape, thing.color))


def as_stated(stated: StatedObject, found: ReadObject) -> float:
    """0 for another shape, or another colour or texture than is stated; 1 for the stated object, and 1 more where it is
    at the stated place. A stated size is not compared."""
    if found.shape != stated.shape or stated.color not in (None, found.color):
        return 0.0
    if stated.texture is not None and found.texture != stated.texture:
        return 0.0
    return 2.0 if stated.place is not None and is_at(stated.place, found) else 1.0


def is_at(place: str, found: ReadObject) -> bool:
    """Whether the found object is at one of ``directions.PLACES``, or less than its slack away from it."""
    return PLACES[place].degree(as_scene_object(found)) > -SLACK


def as_scene_object(found: ReadObject) -> SceneObject:
    """The record that the dataset's own functions take; an unclear shape becomes a ball, depth and grain are unread."""
    return SceneObject(
        shape=found.shape or "ball",
        color=found.color,
        size="medium",
        texture=found.texture or "plain",
        x=found.x,
        y=found.y,
        scale=found.scale,
        angle=found.angle,
        depth=0.5,
        grain=0,
    )


def _is_near(thing: SceneObject, found: ReadObject) -> bool:
    return max(abs(found.x - thing.x), abs(found.y - thing.y)) < NEAR
