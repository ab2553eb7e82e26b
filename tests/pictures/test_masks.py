"""White is the hole, and 1 where integers are all 0 or 1."""

import numpy as np
import PIL.Image
import pytest

from cologen.pictures.masks import array_hole, hole

HOLE = np.arange(48).reshape(6, 8) % 3 == 0


def forms() -> list[PIL.Image.Image]:
    white = PIL.Image.fromarray(np.where(HOLE, 255, 0).astype(np.uint8))
    clear = PIL.Image.fromarray(np.where(HOLE, 0, 255).astype(np.uint8))
    alpha = PIL.Image.new("RGB", white.size)
    alpha.putalpha(clear)
    return [
        white,
        alpha,
        *(white.convert(mode) for mode in ("1", "P", "RGB", "RGBA", "LA", "CMYK")),
        PIL.Image.fromarray(HOLE.astype(np.uint8)),
        PIL.Image.fromarray(np.where(HOLE, 65535, 400).astype(np.uint16)),
        PIL.Image.fromarray(np.where(HOLE, 65535, 0).astype(np.int32)),
        PIL.Image.fromarray(HOLE.astype(np.float32)),
    ]


@pytest.mark.parametrize("image", forms(), ids=lambda image: image.mode)
def test_every_mode_of_a_mask_is_one_hole(image: PIL.Image.Image):
    np.testing.assert_array_equal(hole(image), HOLE)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.uint16, np.int32, np.int64, np.float16, np.float64])
def test_zeros_and_ones_of_every_type_are_a_mask(kind: type):
    np.testing.assert_array_equal(array_hole(HOLE.astype(kind)), HOLE)
    assert array_hole(np.ones((2, 2), kind)).all()


def test_a_mask_is_white_from_its_middle_on():
    np.testing.assert_array_equal(array_hole(np.array([[127, 128]], np.uint8)), [[0, 1]])
    np.testing.assert_array_equal(array_hole(np.array([[0.49, 0.5]])), [[0, 1]])
    np.testing.assert_array_equal(array_hole(np.array([[0, 255]])), [[0, 1]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((4, 6), np.uint8), "no hole: its largest value is 0 as uint8"),
        (np.zeros((4, 6), bool), "no hole"),
        (np.full((4, 6), 0.3), r"no hole: its largest value is 0\.3"),
        (np.full((4, 6), np.nan), "24 are NaN"),
        (np.full((4, 6), -1), "expected integers"),
        (np.zeros((4, 6, 3)), "a mask is"),
        (np.zeros((0, 6)), "a mask is"),
    ],
)
def test_what_is_no_mask_is_refused(values: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        array_hole(values)


def test_a_mask_without_a_hole_is_refused_as_an_image():
    with pytest.raises(ValueError, match="no hole"):
        hole(PIL.Image.new("L", (4, 6)))
