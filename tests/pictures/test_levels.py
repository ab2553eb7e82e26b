"""Numbers of every type come to 8 bits, and those that are no brightness are refused."""

import numpy as np
import pytest

from cologen.pictures.levels import eight_bits, unit_floats


def test_every_type_has_the_same_ends_and_middle():
    expected = np.array([0, 128, 255], np.uint8)
    for values in (
        expected,
        expected.astype(np.uint16) * 257,
        (expected.astype(np.uint16) * 257).astype(">u2"),
        expected.astype(np.int32) * 257,
        expected.astype(np.float32) / 255,
        expected.astype(np.float64) / 255,
    ):
        np.testing.assert_array_equal(eight_bits(values), expected)
    np.testing.assert_array_equal(eight_bits(np.array([False, True])), [0, 255])


def test_sixteen_bits_are_rounded_to_the_nearest():
    values = np.arange(65536).astype(np.uint16)
    np.testing.assert_array_equal(eight_bits(values), np.rint(values / 257))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([0.0, np.nan, np.inf]), "2 are NaN or infinite"),
        (np.array([0.0, 255.0]), "got 0 to 255"),
        (np.array([-0.5, 0.5]), r"got -0\.5 to 0\.5"),
        (np.array([-1, 5]), "expected integers of 16 bits"),
        (np.array([0, 70_000]), "0 to 65535"),
        (np.array([0, 200]), "8 or of 16 bits"),
        (np.array(["a"]), "expected numbers"),
    ],
)
def test_what_is_no_brightness_is_refused(values: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        eight_bits(values)


def test_floats_stay_exact():
    values = np.array([0, 0.1, 1], np.float32)
    np.testing.assert_array_equal(unit_floats(values), values)


def test_a_rounding_error_beyond_the_range_is_clipped():
    values = np.array([-1e-7, 0.5, 1.0000001])
    np.testing.assert_array_equal(unit_floats(values), np.array([0, 0.5, 1], np.float32))
    with pytest.raises(ValueError, match=r"got 0 to 1\.001"):
        unit_floats(np.array([0, 1.001]))
