"""Arrays are written where they are read, a slot is free again when they are gone, and whatever was allocated comes."""

import gc

import numpy as np
import pytest

from cologen.trainer.data import slots
from cologen.trainer.data.slots import Slot, Writer

pytestmark = pytest.mark.skipif(not slots.AVAILABLE, reason="only Linux has anonymous files")


def sent(slot: Slot, value: int, *sizes: int) -> slots.Letter:
    with Writer().writing(slot.path) as sheet:
        arrays = [slots.empty((size, 2)) for size in sizes]
        for array in arrays:
            array.fill(value)
        return sheet.letter({"arrays": arrays, "other": np.full(5, value), "word": "a dog"})


def test_arrays_arrive_whether_they_were_made_in_the_slot_or_not():
    slot = Slot()
    for value, sizes in enumerate([(3,), (1000, 7), (0, 2), (100_000, 1), ()], start=1):
        letter = sent(slot, value, *sizes)
        assert len(letter.content) < 1000
        found = slot.read(letter)
        assert [each.shape for each in found["arrays"]] == [(size, 2) for size in sizes]
        assert all((each == value).all() for each in found["arrays"])
        assert (found["other"].tolist(), found["word"]) == ([value] * 5, "a dog")
    slot.close()


def test_a_slot_is_free_when_the_last_array_is_gone():
    slot = Slot()
    slot.free = False
    found = slot.read(sent(slot, 1, 10))
    part = found["arrays"][0][2:4]
    del found
    gc.collect()
    assert not slot.free
    assert (part == 1).all()
    del part
    assert slot.free


def test_what_has_no_arrays_leaves_the_slot_free():
    slot = Slot()
    slot.free = False
    with Writer().writing(slot.path) as sheet:
        letter = sheet.letter("a dog")
    assert slot.read(letter) == "a dog"
    assert slot.free


def test_elsewhere_arrays_are_ordinary():
    assert slots.empty((2, 3)).shape == (2, 3)
