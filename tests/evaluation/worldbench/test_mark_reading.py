"""Marks are read where and in the colour they were drawn."""

import numpy as np

from cologen.datagen.grounding.marks import cover, draw_boxes
from cologen.evaluation.worldbench.mark_reading import read_mark

GREY = np.full((32, 32, 3), 120, dtype=np.uint8)


def test_the_inside_of_a_frame_is_read() -> None:
    for width in (1, 2):
        mark = read_mark(draw_boxes(GREY, [(8, 10, 20, 24)], (255, 0, 0), width), GREY, "frame")
        assert mark.color == "red"
        rows, columns = np.nonzero(mark.region)
        assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (8, 10, 20, 24)


def test_two_frames_are_two_boxes() -> None:
    mark = read_mark(draw_boxes(GREY, [(3, 3, 10, 10), (16, 16, 28, 28)], (0, 0, 255), 1), GREY, "frame")
    assert int(mark.region.sum()) == 7 * 7 + 12 * 12


def test_a_cover_is_read_at_any_opacity() -> None:
    mask = np.zeros((32, 32), dtype=np.uint8)
    mask[5:20, 8:25] = 1
    for opacity in (0.4, 0.55, 0.7):
        mark = read_mark(cover(GREY, mask, (0, 255, 255), opacity), GREY, "cover")
        assert mark.color == "cyan"
        assert (mark.region == mask.astype(bool)).all()


def test_a_patch_that_hides_all_is_neither_a_frame_nor_a_cover() -> None:
    patch = GREY.copy()
    patch[5:20, 8:25] = (0, 255, 255)
    for kind in ("frame", "cover"):
        mark = read_mark(patch, GREY, kind)
        assert mark.color == "cyan" and not mark.region.any()


def test_no_change_is_no_mark() -> None:
    mark = read_mark(GREY, GREY, "frame")
    assert mark.color is None and not mark.region.any()
