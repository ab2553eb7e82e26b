"""Canny: OpenCV's edges, batched."""

import cv2
import numpy as np
import pytest
import torch

from cologen.datagen.control.canny import canny
from cologen.datagen.control.edges import Thresholds
from cologen.datagen.control.maps import Images


def test_maps_are_opencv_s(pictures: Images) -> None:
    thresholds = [Thresholds(), Thresholds(low=10, high=20), Thresholds(low=1, high=2)]
    maps = canny(pictures, thresholds)
    assert set(maps.unique().tolist()) == {0.0, 1.0}
    for picture, each, found in zip(pictures, thresholds, maps, strict=True):
        pixels = np.ascontiguousarray((picture * 255).round().byte().permute(1, 2, 0).numpy())
        expected = torch.from_numpy(cv2.Canny(pixels, each.low, each.high) / 255).float()
        assert torch.equal(found, expected.expand_as(found))


def test_higher_thresholds_find_less(pictures: Images) -> None:
    few, many = (canny(pictures[:1], [Thresholds(low=value, high=value)]).sum() for value in (600, 50))
    assert few < many


def test_a_picture_without_thresholds_is_refused(pictures: Images) -> None:
    with pytest.raises(ValueError, match="shorter"):
        canny(pictures, [Thresholds()])


def fading() -> Images:
    """A step across the picture whose height falls from 100 grey levels on the left to 10 on the right."""
    step = torch.linspace(100, 10, 200).round()[None].repeat(32, 1)
    return (torch.cat([torch.zeros(32, 200), step]) / 255).repeat(1, 3, 1, 1)


def test_an_edge_begins_above_the_high_threshold_and_goes_on_down_to_the_low_one() -> None:
    """A step of h grey levels has a gradient of 4 h, so it begins above 50 and goes on to 12 or so, or ends at 50."""
    both, high, low = (
        int(canny(fading(), [Thresholds(low=a, high=b)])[0, 0, 31:33].amax(dim=0).sum())
        for a, b in ((50, 200), (200, 200), (50, 50))
    )
    assert 90 < high < 130
    assert both == low > high + 60
    assert not canny(fading(), [Thresholds(low=50, high=500)]).any()
