"""Ramps pass through their colours, and fields take them."""

import numpy as np
import pytest

from cologen.datagen.world.tones import colored, mixed, object_ramp, ramp, wave
from cologen.datagen.world.vocabulary import COLORS


def test_a_ramp_starts_and_ends_at_its_stops():
    steps = ramp(((0, 10, 20), (100, 110, 120), (255, 255, 255)))
    assert steps[0].tolist() == [0, 10, 20]
    assert steps[255].tolist() == [255, 255, 255]
    assert np.abs(steps[128].astype(int) - [100, 110, 120]).max() <= 1


@pytest.mark.parametrize("color", COLORS)
def test_an_object_has_its_own_color_at_half_tone(color: str):
    assert np.abs(object_ramp(COLORS[color])[127:129].astype(float).mean(axis=0) - COLORS[color]).max() <= 1


def test_tones_are_clipped():
    field = np.array([[-0.5, 0.0, 1.0, 1.5]], dtype=np.float32)
    pixels = colored(field, ramp(((1, 2, 3), (201, 202, 203))))
    assert pixels[0, :, 0].tolist() == [1, 1, 201, 201]


def test_mixing_is_linear():
    assert mixed((0, 100), (100, 0), 0.25) == (25, 75)


def test_the_wave_has_period_one_and_the_sine_s_extremes():
    x = np.array([0, 0.25, 0.5, 0.75, 1, 2.25], dtype=np.float32)
    assert np.allclose(np.abs(wave(x)), [0, 1, 0, 1, 0, 1], atol=1e-5)
    assert wave(x)[1] == pytest.approx(-wave(x)[3])
