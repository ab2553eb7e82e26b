"""Grounds are textured, deterministic, and the same at every picture size."""

import cv2
import numpy as np
import pytest

from cologen.datagen.world.grounds import paint_ground
from cologen.datagen.world.vocabulary import GROUNDS


@pytest.mark.parametrize("ground", GROUNDS)
class TestEveryGround:
    def test_is_the_same_each_time_and_another_for_another_scene(self, ground: str):
        first = paint_ground(ground, 1, "a", 64, 64)
        assert np.array_equal(first, paint_ground(ground, 1, "a", 64, 64))
        assert not np.array_equal(first, paint_ground(ground, 1, "b", 64, 64))
        assert not np.array_equal(first, paint_ground(ground, 2, "a", 64, 64))

    def test_is_textured(self, ground: str):
        gray = paint_ground(ground, 1, "a", 128, 128).mean(axis=2)
        assert gray.std() > 1.5

    def test_is_the_same_picture_at_another_size(self, ground: str):
        small = paint_ground(ground, 1, "a", 64, 64)
        large = cv2.resize(paint_ground(ground, 1, "a", 256, 256), (64, 64), interpolation=cv2.INTER_AREA)
        # Fine grain averages away; what is coarser than an eighth of the picture has to agree.
        blurred = [cv2.blur(picture.astype(np.float32), (9, 9)) for picture in (small, large)]
        assert np.abs(blurred[0] - blurred[1]).mean() < 9

    @pytest.mark.parametrize("size", [(32, 32), (97, 33), (32, 200)])
    def test_fits_any_size(self, ground: str, size: tuple[int, int]):
        width, height = size
        assert paint_ground(ground, 0, "a", width, height).shape == (height, width, 3)
