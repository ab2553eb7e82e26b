"""Textures differ from each other, belong to their object, and keep its colour on the whole."""

import itertools

import numpy as np
import pytest

from cologen.datagen.world.patterns import pattern
from cologen.datagen.world.vocabulary import TEXTURES

V, U = (np.mgrid[-64:64, -64:64] / 64).astype(np.float32)


def test_plain_is_flat():
    assert not pattern("plain", 1, U, V, 1 / 64).any()


@pytest.mark.parametrize("texture", [name for name in TEXTURES if name != "plain"])
class TestEveryTexture:
    def test_is_visible_and_even_on_the_whole(self, texture: str):
        means = [pattern(texture, grain, U, V, 1 / 64).mean() for grain in range(8)]
        assert abs(np.mean(means)) < 0.03
        assert pattern(texture, 1, U, V, 1 / 64).std() > 0.05

    def test_belongs_to_the_grain(self, texture: str):
        first = pattern(texture, 1, U, V, 1 / 64)
        assert np.array_equal(first, pattern(texture, 1, U, V, 1 / 64))
        assert not np.array_equal(first, pattern(texture, 2, U, V, 1 / 64))

    def test_fades_where_it_is_finer_than_pixels(self, texture: str):
        assert pattern(texture, 1, U, V, 1.0).std() < 0.5 * pattern(texture, 1, U, V, 1 / 64).std()


def test_no_two_textures_look_alike():
    drawn = {texture: pattern(texture, 1, U, V, 1 / 64) for texture in TEXTURES}
    for first, second in itertools.combinations(drawn.values(), 2):
        assert np.abs(first - second).mean() > 0.05
