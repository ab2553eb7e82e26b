"""Damage inside a compressed TIFF is noticed, though Pillow says nothing of it; sound files pass."""

import io

import numpy as np
import PIL.Image
import pytest
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from cologen.datagen.images import decoding
from cologen.datagen.randomness import generator
from cologen.datagen.records import Reason, RejectedError


def photo(mode: str) -> PIL.Image.Image:
    coarse = PIL.Image.fromarray(generator(0, "tiff").integers(0, 256, (9, 12, 3), dtype=np.uint8))
    return coarse.resize((203, 157), PIL.Image.Resampling.BICUBIC).convert(mode)


def tiff(mode: str, compression: str, rows_per_strip: int = 16) -> bytes:
    tags = ImageFileDirectory_v2()
    tags[278] = rows_per_strip
    file = io.BytesIO()
    photo(mode).save(file, "TIFF", compression=compression, tiffinfo=tags)
    return file.getvalue()


@pytest.mark.parametrize("compression", ["tiff_deflate", "tiff_adobe_deflate", "packbits", "tiff_lzw"])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "1", "P", "RGBA"])
@pytest.mark.parametrize("rows_per_strip", [1, 16, 157, 1000])
def test_a_sound_file_passes(compression: str, mode: str, rows_per_strip: int):
    data = tiff(mode, compression, rows_per_strip)
    expected = photo(mode).convert("RGB")
    if mode != "RGBA":  # transparency is over white
        np.testing.assert_array_equal(decoding.decode(data), np.asarray(expected))
    assert decoding.decode(data).shape == (157, 203, 3)


@pytest.mark.parametrize("compression", ["tiff_deflate", "packbits"])
def test_a_file_that_is_filled_from_the_low_bit_passes(compression: str):
    file = io.BytesIO()
    photo("RGB").save(file, "TIFF", compression=compression, tiffinfo={266: 2})
    np.testing.assert_array_equal(decoding.decode(file.getvalue()), np.asarray(photo("RGB")))


@pytest.mark.parametrize("compression", ["tiff_deflate", "packbits", "tiff_lzw"])
def test_a_hole_of_zeros_is_noticed(compression: str, capfd: pytest.CaptureFixture[str]):
    data = tiff("RGB", compression)
    for start in generator(1, "tiff").integers(16, len(data) - 900, 40):
        with pytest.raises(RejectedError) as caught:
            decoding.decode(data[:start] + bytes(400) + data[start + 400 :])
        assert caught.value.reason is Reason.TRUNCATED_IMAGE
    if compression != "tiff_lzw":  # libtiff, which writes to the terminal, never saw them
        assert not capfd.readouterr().err


def test_jpeg_inside_a_tiff_is_refused_since_its_damage_would_go_unnoticed():
    with pytest.raises(RejectedError, match="compressed as JPEG") as caught:
        decoding.decode(tiff("RGB", "jpeg"))
    assert caught.value.reason is Reason.UNSUPPORTED_MODE


def test_a_block_that_decompresses_to_more_than_its_place_is_refused():
    """Its size comes from the tags, and no more than that is decompressed."""
    data = bytearray(tiff("RGB", "tiff_deflate", 157))
    directory = int.from_bytes(data[4:8], "little")
    for entry in range(directory + 2, directory + 2 + 12 * data[directory], 12):
        if int.from_bytes(data[entry : entry + 2], "little") == 257:  # the height
            data[entry + 8 : entry + 12] = (100).to_bytes(4, "little")
    with pytest.raises(RejectedError) as caught:
        decoding.decode(bytes(data))
    assert caught.value.reason is Reason.TRUNCATED_IMAGE
