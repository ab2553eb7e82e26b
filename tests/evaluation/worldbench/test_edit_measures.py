"""The rendered edit is right, the unchanged source is not, and a damage elsewhere is seen."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from cologen.datagen.world.edits import EDIT_KINDS, Edit, EditKind, edit
from cologen.evaluation.worldbench.edit_measures import edited
from tests.evaluation.worldbench.drawn import mean, picture_of, scenes


def edits(kind: EditKind, num: int = 30) -> list[Edit]:
    found = [edit(scene, kind, 0) for scene in scenes("simple", num)]
    return [each for each in found if each is not None]


@pytest.mark.parametrize("kind", EDIT_KINDS)
def test_the_rendered_edit_is_right(kind: EditKind) -> None:
    values = [edited(picture_of(each.after), picture_of(each.before), each) for each in edits(kind)]
    assert mean(each.made for each in values) >= 0.96
    assert mean(each.kept for each in values) >= 0.94
    assert mean(each.whole for each in values) >= 0.92
    assert mean(each.l1_outside for each in values) < 0.002


@pytest.mark.parametrize("kind", EDIT_KINDS)
def test_the_source_itself_is_no_edit(kind: EditKind) -> None:
    values = [edited(picture_of(each.before), picture_of(each.before), each) for each in edits(kind)]
    assert mean(each.made for each in values) <= 0.04
    assert mean(each.whole for each in values) == 0
    assert mean(each.l1_outside for each in values) == 0


def test_noise_is_no_edit() -> None:
    noise = np.random.default_rng(0).integers(0, 256, size=(32, 32, 3)).astype(np.uint8)
    for kind in EDIT_KINDS:
        for each in edits(kind, 8):
            values = edited(noise, picture_of(each.before), each)
            assert values.made == values.whole == 0


def test_what_was_not_asked_for_is_seen() -> None:
    """The edit is made, and an object is there that nobody asked for."""
    found = []
    for first, second in product(edits("recolor", 30), edits("add", 30)):
        added = second.after.objects[second.index]
        taken = [(thing.shape, thing.color) for thing in first.after.objects]
        near = any(max(abs(added.x - thing.x), abs(added.y - thing.y)) < 0.3 for thing in first.after.objects)
        same_ground = first.before.ground == second.before.ground
        if same_ground and not near and (added.shape, added.color) not in taken:
            more = replace(first.after, objects=(*first.after.objects, added))
            found.append(edited(picture_of(more), picture_of(first.before), first))
    assert len(found) >= 5
    assert mean(each.made for each in found) >= 0.9
    assert mean(each.nothing_added for each in found) == mean(each.whole for each in found) == 0


def test_a_second_change_is_not_kept() -> None:
    """The edit is made, and another object is gone with it."""
    lost = []
    for each in edits("recolor", 40):
        if len(each.before.objects) < 2:
            continue
        thing = each.after.objects[each.index]
        lost.append(edited(picture_of(replace(each.after, objects=(thing,))), picture_of(each.before), each))
    assert lost
    assert mean(each.made for each in lost) >= 0.95
    assert mean(each.kept for each in lost) == 0
    assert mean(each.l1_outside for each in lost) > 0.01
