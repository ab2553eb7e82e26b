"""Ladders of outputs: edits of the synthetic dataset done right, and wrong to a growing degree, one fault at a time.

    colour   the object has a colour that is farther and farther from the one that was asked for
    place    the object is farther and farther from its place
    undone   the edit fades until the source is left
    others   1, 2, 3 of the other objects change their colour as well
    blur     the whole picture loses detail
    noise    the whole picture gets noise

The first rung is the exact target, and each rung is worse than the one before by construction: no opinion enters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import cv2
import numpy as np

from cologen.datagen.randomness import generator
from cologen.datagen.world.edits import Edit
from cologen.datagen.world.objects import SceneObject
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import Scene
from cologen.datagen.world.vocabulary import COLORS
from cologen.evaluation.metrics.colour import ciede2000, lab_of
from cologen.evaluation.records import Picture

Ladder = Callable[[Edit, int, int], list[Picture]]
"""(edit, side in pixels, seed) to the rungs, the target first; fewer than two rungs where an edit does not allow it."""

SHIFTS = (0.05, 0.1, 0.2, 0.4)
"""Fractions of the side."""
FADES = (0.25, 0.5, 0.75, 1.0)
BLURS = (0.005, 0.01, 0.02, 0.04)
"""Standard deviations, as fractions of the side."""
NOISES = (8.0, 16.0, 32.0, 64.0)
"""Standard deviations in levels of 255."""
_COLOR_RUNGS = 4
_MOST_OTHERS = 3


def _colour(edit: Edit, side: int, seed: int) -> list[Picture]:
    """Four other colours by their CIEDE2000 distance from the right one, evenly from the nearest to the farthest."""
    thing = _edited(edit)
    if thing is None:
        return []
    names = list(COLORS)
    labs = lab_of(np.array([COLORS[name] for name in names], dtype=np.uint8))
    distance = ciede2000(labs, np.broadcast_to(labs[names.index(thing.color)], labs.shape))
    order = [names[k] for k in np.argsort(distance, kind="stable")[1:]]
    wrong = [order[round(k * (len(order) - 1) / (_COLOR_RUNGS - 1))] for k in range(_COLOR_RUNGS)]
    return [_drawn(edit.after, side)] + [_drawn(_with(edit, replace(thing, color=name)), side) for name in wrong]


def _place(edit: Edit, side: int, seed: int) -> list[Picture]:
    """Along the first direction, of eight from a random one on, in which it stays inside the picture all the way."""
    thing = _edited(edit)
    if thing is None:
        return []
    start = generator(seed, "audit", "place", edit.before.key).uniform(0, 2 * math.pi)
    for angle in start + np.arange(8) * math.pi / 4:
        dx, dy = math.cos(angle), math.sin(angle)
        ends = thing.x + SHIFTS[-1] * dx, thing.y + SHIFTS[-1] * dy
        if all(thing.scale < end < 1 - thing.scale for end in ends):
            moved = [replace(thing, x=thing.x + shift * dx, y=thing.y + shift * dy) for shift in SHIFTS]
            return [_drawn(edit.after, side), *(_drawn(_with(edit, each), side) for each in moved)]
    return []


def _undone(edit: Edit, side: int, seed: int) -> list[Picture]:
    source, target = (_drawn(scene, side).astype(np.float32) for scene in (edit.before, edit.after))
    return [np.rint(target + fade * (source - target)).astype(np.uint8) for fade in (0.0, *FADES)]


def _others(edit: Edit, side: int, seed: int) -> list[Picture]:
    """Each rung changes one object more, to the colour that is farthest from its own in the order of colours."""
    names = list(COLORS)
    after = edit.after
    keep = edit.index if edit.kind != "remove" else -1
    others = [place for place in range(len(after.objects)) if place != keep][:_MOST_OTHERS]
    rungs = [_drawn(after, side)]
    for place in others:
        thing = after.objects[place]
        color = names[(names.index(thing.color) + len(names) // 2) % len(names)]
        objects = (*after.objects[:place], replace(thing, color=color), *after.objects[place + 1 :])
        after = replace(after, objects=objects)
        rungs.append(_drawn(after, side))
    return rungs


def _blur(edit: Edit, side: int, seed: int) -> list[Picture]:
    target = _drawn(edit.after, side)
    return [target] + [
        cv2.GaussianBlur(target, (0, 0), sigma * side, borderType=cv2.BORDER_REFLECT).astype(np.uint8, copy=False)
        for sigma in BLURS
    ]


def _noise(edit: Edit, side: int, seed: int) -> list[Picture]:
    """One pattern, stronger from rung to rung."""
    target = _drawn(edit.after, side).astype(np.float32)
    pattern = generator(seed, "audit", "noise", edit.before.key).standard_normal(target.shape, dtype=np.float32)
    return [np.rint((target + sigma * pattern).clip(0, 255)).astype(np.uint8) for sigma in (0.0, *NOISES)]


LADDERS: Mapping[str, Ladder] = MappingProxyType(
    {"colour": _colour, "place": _place, "undone": _undone, "others": _others, "blur": _blur, "noise": _noise}
)


def _edited(edit: Edit) -> SceneObject | None:
    """The object as it is after the edit; None where it was removed."""
    return None if edit.kind == "remove" else edit.after.objects[edit.index]


def _with(edit: Edit, thing: SceneObject) -> Scene:
    objects: Sequence[SceneObject] = edit.after.objects
    return replace(edit.after, objects=(*objects[: edit.index], thing, *objects[edit.index + 1 :]))


def _drawn(scene: Scene, side: int) -> Picture:
    return render(scene, side, side).picture
