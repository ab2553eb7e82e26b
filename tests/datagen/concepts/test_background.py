"""Foreground is what does not run along the picture's border, whatever its colour."""

import cv2
import numpy as np
import pytest

from cologen.datagen.concepts.background import contrast, foreground
from cologen.datagen.concepts.superpixels import superpixels
from cologen.datagen.images import Picture


def disc(center: tuple[int, int]) -> Picture:
    return cv2.circle(np.full((128, 160, 3), 200, np.uint8), center, 30, (20, 60, 150), -1)


@pytest.mark.parametrize("center", [(80, 64), (40, 70), (115, 96)])
def test_a_disc_is_foreground_and_the_rest_is_not(center: tuple[int, int]) -> None:
    patches = superpixels(disc(center), 150)
    likely = foreground(patches)
    inside = patches.colors[:, 0] < 50
    assert likely[inside].min() > 0.9
    assert likely[~inside].max() < 0.1


def test_a_surface_that_runs_along_the_border_is_background_in_any_colour() -> None:
    picture = np.full((128, 160, 3), 200, np.uint8)
    picture[80:] = (30, 120, 40)
    assert foreground(superpixels(picture, 150)).max() < 0.1


def test_contrast_is_the_distance_to_the_background() -> None:
    patches = superpixels(disc((80, 64)), 150)
    values = contrast(patches, foreground(patches))
    inside = patches.colors[:, 0] < 40
    expected = np.linalg.norm(
        patches.colors[inside].mean(axis=0) - patches.colors[~inside & (patches.rims > 0)].mean(0)
    )
    np.testing.assert_allclose(values[inside].mean(), expected, rtol=0.05)
    assert np.median(values[~inside]) < 0.1 * expected
