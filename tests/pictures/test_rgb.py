"""A picture is the same colours in whichever mode or type it comes."""

import struct

import numpy as np
import PIL.Image
import pytest

from cologen.pictures.rgb import array_rgb, orientation, rgb, upright
from tests.pictures.samples import FORMATS, deep, encoded, opened, pattern, turned


def test_transparency_lies_over_white_in_every_mode():
    clear = PIL.Image.new("RGBA", (4, 3), (200, 10, 30, 0))
    palette = PIL.Image.new("P", (4, 3), 0)
    palette.info["transparency"] = 0
    level = PIL.Image.fromarray(np.zeros((3, 4), np.uint16))
    level.info["transparency"] = 0
    for image in (clear, clear.convert("LA"), clear.convert("RGBa"), clear.convert("LA").convert("La"), palette, level):
        assert (rgb(image) == 255).all(), image.mode
    assert (array_rgb(np.zeros((3, 4, 4), np.uint8)) == 255).all()
    assert (array_rgb(np.zeros((3, 4, 2), np.float32)) == 1).all()
    half = np.array([[[0, 0, 0, 0.5]]], np.float32)
    assert (array_rgb(half) == 0.5).all()


def test_arrays_and_images_agree():
    for channels, mode in enumerate(("L", "LA", "RGB", "RGBA"), start=1):
        values = pattern(channels)
        expected = rgb(PIL.Image.fromarray(values[..., 0] if channels == 1 else values, mode))
        np.testing.assert_array_equal(array_rgb(values), expected)
        np.testing.assert_array_equal(array_rgb(values.astype(np.uint16) * 257), expected)
        floats = array_rgb(values.astype(np.float32) / 255)
        np.testing.assert_allclose(floats, expected / 255, atol=0.003)
    grey = pattern(1)
    np.testing.assert_array_equal(array_rgb(grey[..., 0]), array_rgb(grey))


def test_deep_grey_keeps_its_levels():
    expected = np.rint(deep() / 257)
    for image in (PIL.Image.fromarray(deep()), PIL.Image.fromarray(deep().astype(np.int32))):
        np.testing.assert_array_equal(rgb(image)[..., 2], expected)
    unit = PIL.Image.fromarray((deep() / 65535).astype(np.float32))
    assert np.abs(rgb(unit)[..., 0] - expected).max() <= 1


@pytest.mark.parametrize(
    "values",
    [np.zeros(3), np.zeros((4, 6, 5)), np.zeros((0, 4, 3)), np.zeros((4, 6, 3), np.int64), np.zeros((4, 6, 0))],
)
def test_what_is_no_picture_is_refused(values: np.ndarray):
    with pytest.raises(ValueError, match="got"):
        array_rgb(values)


@pytest.mark.parametrize("form", FORMATS)
def test_upright_twice_is_upright_once(form: str):
    once = upright(opened(turned(6, form)))
    assert once.size == (32, 48)
    np.testing.assert_array_equal(np.asarray(upright(once)), np.asarray(once))


def test_broken_metadata_turns_nothing():
    data = encoded(PIL.Image.fromarray(pattern()), "PNG", exif=b"MM\0\x2a\0\0\0\x08\xff\xff broken")
    assert orientation(opened(data)) == 1


def test_a_turn_is_followed_though_other_metadata_is_broken():
    """The resolution's unit is text where a number belongs: the metadata can be read, but not written anew."""
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack("<HHI4s", 0x0128, 2, 2, b"a")
    exif = b"Exif\0\0II\x2a\0\x08\0\0\0\2\0" + entries + bytes(4)
    found = upright(opened(encoded(PIL.Image.fromarray(pattern()), "PNG", exif=exif)))
    np.testing.assert_array_equal(np.asarray(found), np.rot90(pattern(), -1))
    assert orientation(found) == 1
