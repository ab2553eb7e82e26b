"""Canny: OpenCV's edges, thresholds by seed and key."""

import cv2
import numpy as np
import pytest
import torch

from cologen.datagen.control.canny import ThresholdRanges, Thresholds, canny
from cologen.datagen.control.maps import Images


def test_maps_are_opencv_s(pictures: Images) -> None:
    thresholds = [Thresholds(), Thresholds(low=10, high=20), Thresholds(low=1, high=2)]
    maps = canny(pictures, thresholds)
    assert set(maps.unique().tolist()) == {0.0, 1.0}
    for picture, each, found in zip(pictures, thresholds, maps, strict=True):
        pixels = np.ascontiguousarray((picture * 255).round().byte().permute(1, 2, 0).numpy())
        expected = torch.from_numpy(cv2.Canny(pixels, each.low, each.high) / 255).float()
        assert torch.equal(found, expected.expand_as(found))


def test_thresholds_belong_to_the_sample() -> None:
    ranges = ThresholdRanges(low=(10, 20), high=(20, 90))
    drawn = {ranges.draw(0, f"coco/{number}") for number in range(400)}
    assert ranges.draw(0, "coco/7") == ranges.draw(0, "coco/7") != ranges.draw(1, "coco/7")
    assert {each.low for each in drawn} == set(range(10, 21))
    assert min(each.high for each in drawn) < 25 < 85 < max(each.high for each in drawn)


def test_higher_thresholds_find_less(pictures: Images) -> None:
    few, many = (canny(pictures[:1], [Thresholds(low=value, high=value)]).sum() for value in (600, 50))
    assert few < many


def test_thresholds_out_of_order_are_named() -> None:
    with pytest.raises(ValueError, match="low 30 and high 20"):
        Thresholds(low=30, high=20)
    with pytest.raises(ValueError, match=r"\(10, 200\) and \(150, 250\)"):
        ThresholdRanges(low=(10, 200))


def test_a_picture_without_thresholds_is_refused(pictures: Images) -> None:
    with pytest.raises(ValueError, match="shorter"):
        canny(pictures, [Thresholds()])
