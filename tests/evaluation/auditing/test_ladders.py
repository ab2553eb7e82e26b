"""Each rung is worse than the one before by construction; the first is the exact target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from cologen.datagen.world.edits import EDIT_KINDS, Edit, edit
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene
from cologen.evaluation.auditing.ladders import BLURS, FADES, LADDERS, SHIFTS
from cologen.evaluation.records import Picture

SIDE = 64
_LENGTHS = {"colour": 5, "place": 1 + len(SHIFTS), "undone": 1 + len(FADES), "blur": 1 + len(BLURS)}


@pytest.fixture(scope="module")
def edits() -> list[Edit]:
    found = [edit(sample_scene(3, index), EDIT_KINDS[index % len(EDIT_KINDS)], 3) for index in range(25)]
    return [each for each in found if each is not None]


def _far(first: Picture, second: Picture) -> float:
    return float(np.abs(first.astype(float) - second).mean())


@pytest.mark.parametrize("name", LADDERS)
def test_the_first_rung_is_the_target_and_ladders_are_repeatable(name: str, edits: Sequence[Edit]) -> None:
    found, edits = 0, edits[:10]  # two of each kind, which are drawn twice
    for each in edits:
        rungs = LADDERS[name](each, SIDE, 0)
        again = LADDERS[name](each, SIDE, 0)
        assert len(rungs) == len(again)
        assert all((first == second).all() for first, second in zip(rungs, again, strict=True))
        if rungs:
            assert (rungs[0] == render(each.after, SIDE, SIDE).picture).all()
            assert len(rungs) == _LENGTHS.get(name, len(rungs))
            found += len(rungs) > 1
    assert found > len(edits) / 3


@pytest.mark.parametrize("name", ["undone", "blur", "noise"])
def test_pixels_move_away_from_the_target_from_rung_to_rung(name: str, edits: Sequence[Edit]) -> None:
    for each in edits:
        rungs = LADDERS[name](each, SIDE, 0)
        distances = [_far(rungs[0], rung) for rung in rungs]
        assert distances == sorted(distances)
        assert distances[-1] > 0


def test_undone_ends_at_the_source(edits: Sequence[Edit]) -> None:
    for each in edits:
        assert (LADDERS["undone"](each, SIDE, 0)[-1] == render(each.before, SIDE, SIDE).picture).all()


def test_others_change_one_object_more_each_and_never_the_edited_one(edits: Sequence[Edit]) -> None:
    for each in edits:
        rungs = LADDERS["others"](each, SIDE, 0)
        keep = -1 if each.kind == "remove" else each.index
        others = [k for k in range(len(each.after.objects)) if k != keep]
        assert len(rungs) == 1 + min(3, len(others))
        masks = render(each.after, SIDE, SIDE).masks
        for place, rung in enumerate(rungs[1:]):
            changed = (rung != rungs[place]).any(axis=2)
            assert changed[masks[others[place]].astype(bool)].mean() > 0.5


def test_a_removed_object_has_neither_colour_nor_place(edits: Sequence[Edit]) -> None:
    removed = next(each for each in edits if each.kind == "remove")
    assert LADDERS["colour"](removed, SIDE, 0) == LADDERS["place"](removed, SIDE, 0) == []
