"""Records are frozen values, boxes are half-open, and a rejection says why wherever it travels."""

import pickle
import re
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cologen.datagen.records import Box, Image, ObjectMask, Reason, RejectedError, Rejection

coordinates = st.floats(-50.0, 50.0)
boxes = st.builds(Box, x0=coordinates, y0=coordinates, x1=coordinates, y1=coordinates)
sides = st.integers(1, 40)


def test_xywh_and_xyxy_name_the_same_box():
    box = Box.from_xywh(2.0, 3.0, 4.5, 1.0)
    assert box.xyxy() == (2.0, 3.0, 6.5, 4.0)
    assert (box.width, box.height, box.area) == (4.5, 1.0, 4.5)


@given(boxes)
def test_sides_are_never_negative(box: Box):
    assert box.width >= 0
    assert box.height >= 0
    assert box.area == box.width * box.height


@given(boxes, sides, sides)
def test_a_clipped_box_lies_inside_and_clipping_again_changes_nothing(box: Box, width: int, height: int):
    clipped = box.clipped(width, height)
    assert all(0 <= x <= width for x in (clipped.x0, clipped.x1))
    assert all(0 <= y <= height for y in (clipped.y0, clipped.y1))
    assert clipped.clipped(width, height) == clipped
    assert clipped.area <= box.area


@given(sides, sides)
def test_a_box_inside_is_not_clipped_and_one_outside_is_empty(width: int, height: int):
    inside = Box(x0=0.0, y0=0.25, x1=float(width), y1=float(height))
    assert inside.clipped(width, height) == inside
    beside = Box(x0=width + 1.0, y0=0.0, x1=width + 9.0, y1=5.0)
    assert beside.clipped(width, height).area == 0


def test_records_are_values():
    box = Box(x0=0.0, y0=0.0, x1=1.0, y1=1.0)
    thing = ObjectMask(noun="dog", box=box, rle=b"01")
    image = Image(image_id="1", image_uri="1.jpg", width=1, height=1, split="train", captions=("a",), objects=(thing,))
    assert (thing.score, thing.kind) == (1.0, "thing")
    assert len({image, pickle.loads(pickle.dumps(image))}) == 1
    with pytest.raises(FrozenInstanceError):
        box.x0 = 2.0  # type: ignore[misc]


def test_a_rejection_travels_between_processes_whole():
    error = pickle.loads(pickle.dumps(RejectedError(Reason.TOO_SMALL, "1x1")))
    assert isinstance(error, RejectedError)
    assert (error.reason, error.detail, str(error)) == (Reason.TOO_SMALL, "1x1", "too_small: 1x1")
    rejection = Rejection(sample_id="coco/1", stage="source", reason=error.reason, detail=error.detail)
    assert pickle.loads(pickle.dumps(rejection)) == rejection


def test_reasons_are_short_codes_named_as_they_read():
    assert all(reason.value == reason.name.lower() for reason in Reason)
    assert all(re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", reason) for reason in Reason)
