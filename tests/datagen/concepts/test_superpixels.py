"""A picture's patches: they tile it, are connected, keep to its edges, and their borders are counted once."""

import cv2
import numpy as np
import pytest

from cologen.datagen.concepts.superpixels import superpixels
from cologen.datagen.images import Picture
from cologen.datagen.randomness import generator


def halves(height: int, width: int) -> Picture:
    """Dark on the left, light on the right, with some grain."""
    picture = np.full((height, width, 3), 60, np.int64)
    picture[:, width // 2 :] = 190
    return (picture + generator(1, "grain").integers(-9, 10, size=picture.shape)).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(96, 128), (16, 256), (256, 16), (17, 33)])
def test_patches_tile_the_picture(height: int, width: int) -> None:
    patches = superpixels(halves(height, width), 60)
    num = len(patches.areas)
    assert np.unique(patches.labels).tolist() == list(range(num))
    assert patches.areas.sum() == height * width == patches.histograms.sum()
    assert patches.rims.sum() == 2 * (height + width) - 4


def test_every_patch_is_in_one_piece() -> None:
    patches = superpixels(halves(96, 128), 60)
    for label in range(len(patches.areas)):
        assert cv2.connectedComponents((patches.labels == label).astype(np.uint8), connectivity=8)[0] == 2


def test_about_as_many_patches_as_asked_for() -> None:
    assert 240 <= len(superpixels(halves(192, 256), 300).areas) <= 360


def test_patches_keep_to_an_edge() -> None:
    patches = superpixels(halves(96, 128), 60)
    left = np.bincount(patches.labels[:, :64].ravel(), minlength=len(patches.areas)) / patches.areas
    assert np.minimum(left, 1 - left).max() < 0.15


def test_a_border_is_counted_once_with_the_step_across_it() -> None:
    patches = superpixels(halves(96, 128), 60)
    assert (patches.pairs[:, 0] < patches.pairs[:, 1]).all()
    assert len(np.unique(patches.pairs, axis=0)) == len(patches.pairs)
    across = (patches.labels[:, 1:] != patches.labels[:, :-1]).sum()
    down = (patches.labels[1:] != patches.labels[:-1]).sum()
    assert patches.lengths.sum() == across + down
    light = patches.colors[patches.pairs, 0] > 50
    over_the_edge = light[:, 0] != light[:, 1]
    steps = patches.steps / patches.lengths
    assert np.median(steps[over_the_edge]) > 10 * np.median(steps[~over_the_edge])
