"""Thresholds by seed and key, and white edges where a picture has some."""

import numpy as np
import pytest

from cologen.datagen.control.edges import ThresholdRanges, Thresholds, edges


def test_thresholds_belong_to_the_sample() -> None:
    ranges = ThresholdRanges(low=(10, 20), high=(20, 90))
    drawn = {ranges.draw(0, f"coco/{number}") for number in range(400)}
    assert ranges.draw(0, "coco/7") == ranges.draw(0, "coco/7") != ranges.draw(1, "coco/7")
    assert {each.low for each in drawn} == set(range(10, 21))
    assert min(each.high for each in drawn) < 25 < 85 < max(each.high for each in drawn)


def test_thresholds_out_of_order_are_named() -> None:
    with pytest.raises(ValueError, match="low 30 and high 20"):
        Thresholds(low=30, high=20)
    with pytest.raises(ValueError, match=r"\(10, 200\) and \(150, 250\)"):
        ThresholdRanges(low=(10, 200))


def test_an_edge_is_white_and_lies_where_it_is() -> None:
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[:, 20:] = (200, 180, 160)
    found = edges(picture[:, ::-1], Thresholds())  # a view is as good as a copy
    columns = np.flatnonzero(found.any(axis=0))
    assert set(np.unique(found)) == {0, 255}
    assert abs(columns - 28).max() <= 1
