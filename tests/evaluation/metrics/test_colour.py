"""CIEDE2000 on the pairs that its authors publish for testing, and L*a*b* against scikit-image."""

import io

import numpy as np
from hypothesis import given
from hypothesis.extra.numpy import arrays
from skimage.color import deltaE_ciede2000, rgb2lab

from cologen.evaluation.metrics.colour import ciede2000, lab_of
from tests.evaluation.metrics.cases import picture

# Sharma, Wu and Dalal (2005), table 1: L1 a1 b1 L2 a2 b2 difference
_TABLE = """
50.0000 2.6772 -79.7751 50.0000 0.0000 -82.7485 2.0425
50.0000 3.1571 -77.2803 50.0000 0.0000 -82.7485 2.8615
50.0000 2.8361 -74.0200 50.0000 0.0000 -82.7485 3.4412
50.0000 -1.3802 -84.2814 50.0000 0.0000 -82.7485 1.0000
50.0000 -1.1848 -84.8006 50.0000 0.0000 -82.7485 1.0000
50.0000 -0.9009 -85.5211 50.0000 0.0000 -82.7485 1.0000
50.0000 0.0000 0.0000 50.0000 -1.0000 2.0000 2.3669
50.0000 -1.0000 2.0000 50.0000 0.0000 0.0000 2.3669
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0009 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0010 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0011 7.2195
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0012 7.2195
50.0000 -0.0010 2.4900 50.0000 0.0009 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0010 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0011 -2.4900 4.7461
50.0000 2.5000 0.0000 50.0000 0.0000 -2.5000 4.3065
50.0000 2.5000 0.0000 73.0000 25.0000 -18.0000 27.1492
50.0000 2.5000 0.0000 61.0000 -5.0000 29.0000 22.8977
50.0000 2.5000 0.0000 56.0000 -27.0000 -3.0000 31.9030
50.0000 2.5000 0.0000 58.0000 24.0000 15.0000 19.4535
50.0000 2.5000 0.0000 50.0000 3.1736 0.5854 1.0000
50.0000 2.5000 0.0000 50.0000 3.2972 0.0000 1.0000
50.0000 2.5000 0.0000 50.0000 1.8634 0.5757 1.0000
50.0000 2.5000 0.0000 50.0000 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""
PAIRS = np.loadtxt(io.StringIO(_TABLE))


def test_published_pairs() -> None:
    assert len(PAIRS) == 34
    assert np.abs(ciede2000(PAIRS[:, :3], PAIRS[:, 3:6]) - PAIRS[:, 6]).max() < 5.1e-5


def test_it_is_symmetric_on_them() -> None:
    assert np.allclose(ciede2000(PAIRS[:, 3:6], PAIRS[:, :3]), ciede2000(PAIRS[:, :3], PAIRS[:, 3:6]), atol=1e-12)


def test_it_is_scikit_image_s() -> None:
    first, second = lab_of(picture(40, 40, seed=1)), lab_of(picture(40, 40, seed=2))
    assert np.allclose(ciede2000(first, second), deltaE_ciede2000(first, second), atol=1e-9)


def test_lab_of_known_colours() -> None:
    colours = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 0, 255]], dtype=np.uint8)
    expected = [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86]]  # Lindbloom's, D65
    assert np.allclose(lab_of(colours), expected, atol=0.02)
    image = picture(32, 32)
    assert np.allclose(lab_of(image), rgb2lab(image), atol=0.01)  # another rounding of the same matrix


def test_greys_have_no_hue() -> None:
    greys = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
    assert np.abs(lab_of(greys)[:, 1:]).max() < 1e-10


@given(arrays(np.uint8, (2, 4, 3)))
def test_laws(colours: np.ndarray) -> None:
    first, second = lab_of(colours[0]), lab_of(colours[1])
    there = ciede2000(first, second)
    assert np.allclose(there, ciede2000(second, first), atol=1e-9)
    assert np.array_equal(there == 0, (colours[0] == colours[1]).all(axis=-1))
    assert there.max() < 120
