"""Editing: whether the change was made that an instruction asks for, and nothing else was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cologen.datagen.rle import Mask
from cologen.datagen.world.edits import Edit, EditKind
from cologen.datagen.world.objects import SceneObject
from cologen.datagen.world.surfaces import reach
from cologen.evaluation.records import Picture
from cologen.evaluation.worldbench.differences import signed_l1
from cologen.evaluation.worldbench.matching import NEAR, as_scene_object, in_place, is_at, matched
from cologen.evaluation.worldbench.reading import ReadObject, read
from cologen.evaluation.worldbench.statements import stated_place


@dataclass(frozen=True, slots=True, kw_only=True)
class EditValues:
    """Of one picture.

    ``made`` is 1 if the change is there; something is removed only where the ground is read that was below it. ``kept``
    is the share of the other objects that are read as they were; None where there are none. ``ground`` is 1 on the same
    ground. ``nothing_added`` is 1 if there are no more objects than there should be. ``whole`` is 1 if all four are
    right. These are in [0, 1], higher is better. ``l1_outside`` is the mean difference from the source where neither
    the object nor its shadow was or is, in the range [-1, 1] of pixels, so in [0, 2]; None where that is nowhere.
    """

    made: float
    kept: float | None
    ground: float
    nothing_added: float
    whole: float
    l1_outside: float | None


def edited(output: Picture, source: Picture, edit: Edit) -> EditValues:
    """An output in the source's size against the edit that was asked for."""
    reading = read(output, edit.after.level)
    others = [thing for i, thing in enumerate(edit.before.objects) if edit.kind == "add" or i != edit.index]
    partners = matched(others, reading.objects, in_place)
    rest = [each for each in reading.objects if not any(each is partner for partner in partners)]
    same_ground = reading.ground == edit.before.ground
    changed = _CHANGES[edit.kind](edit, rest) if same_ground or edit.kind != "remove" else None
    kept = sum(partner is not None for partner in partners) / len(others) if others else None
    nothing_added = len(reading.objects) <= len(edit.after.objects)
    return EditValues(
        made=float(changed is not None),
        kept=kept,
        ground=float(same_ground),
        nothing_added=float(nothing_added),
        whole=float(changed is not None and same_ground and nothing_added and kept in (None, 1)),
        l1_outside=_outside(output, source, edit, changed),
    )


_Change = ReadObject | tuple[()] | None
"""The object as it now is, () if it is rightly gone, None if the change was not made."""


def _recolored(edit: Edit, rest: list[ReadObject]) -> _Change:
    return _first(rest, lambda each: in_place(edit.after.objects[edit.index], each) > 0)


def _removed(edit: Edit, rest: list[ReadObject]) -> _Change:
    """Gone is an object where no other is read, of whatever shape, by whose pixels it might be meant."""
    gone = edit.before.objects[edit.index]
    return None if _first(rest, lambda each: _is_around(gone, each)) else ()


def _added(edit: Edit, rest: list[ReadObject]) -> _Change:
    return _first(rest, lambda each: _is_alike(edit.after.objects[edit.index], each) and _is_as_asked(edit, each))


def _moved(edit: Edit, rest: list[ReadObject]) -> _Change:
    """It has to be where it was asked to be, and gone where it was."""
    before = edit.before.objects[edit.index]
    alike = [each for each in rest if _is_alike(before, each)]
    if any(in_place(before, each) > 0 for each in alike):
        return None
    return _first(alike, lambda each: _is_as_asked(edit, each))


_CHANGES: dict[EditKind, Callable[[Edit, list[ReadObject]], _Change]] = {
    "recolor": _recolored,
    "replace": _recolored,
    "remove": _removed,
    "add": _added,
    "move": _moved,
}


def _first(found: list[ReadObject], is_it: Callable[[ReadObject], bool]) -> ReadObject | None:
    return next((each for each in found if is_it(each)), None)


def _is_alike(thing: SceneObject, found: ReadObject) -> bool:
    return (found.shape, found.color) == (thing.shape, thing.color)


def _is_around(thing: SceneObject, found: ReadObject) -> bool:
    return max(abs(found.x - thing.x), abs(found.y - thing.y)) < max(NEAR, thing.scale / 2)


def _is_as_asked(edit: Edit, found: ReadObject) -> bool:
    """At the place that the instruction names; where it names none, where the dataset put it."""
    place = stated_place(edit.instruction)
    return in_place(edit.after.objects[edit.index], found) > 0 if place is None else is_at(place, found)


def _outside(output: Picture, source: Picture, edit: Edit, changed: _Change) -> float | None:
    height, width = source.shape[:2]
    region: Mask = np.zeros((height, width), dtype=np.uint8)
    if edit.kind != "add":
        region |= reach(edit.before.objects[edit.index], width, height)
    if isinstance(changed, ReadObject):
        region |= reach(as_scene_object(changed), width, height)
    if edit.kind != "remove" and changed is None:
        region |= reach(edit.after.objects[edit.index], width, height)
    return signed_l1(output, source, region == 0)
