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
