"""JPEG decodes as in Pillow and OpenCV; what was lost in the middle of a file is noticed, and good files pass."""

import io
import itertools
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from cologen.datagen.images import decoding
from cologen.datagen.randomness import generator
from cologen.datagen.records import Reason, RejectedError

REAL = Path(__file__).resolve().parents[4] / "shared/real"
PHOTOS = sorted(path for pattern in ("*.jpg", "*.jpeg") for path in REAL.rglob(pattern))
END = b"\xff\xd9"
WAYS = {
    "baseline": {},
    "444": {"subsampling": 0, "quality": 95},
    "422": {"subsampling": 1, "quality": 30},
    "optimized": {"optimize": True},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "many restarts": {"restart_marker_blocks": 3},
    "progressive restarts": {"progressive": True, "restart_marker_rows": 1},
}


def photo(mode: str = "RGB") -> PIL.Image.Image:
    """Smooth shapes with grain, so that no part of the file is trivial."""
    draw = generator(0, "photo")
    coarse = cv2.resize(draw.integers(0, 256, (6, 8, 3), dtype=np.uint8), (160, 120), interpolation=cv2.INTER_CUBIC)
    grain = draw.integers(-12, 13, coarse.shape)
    return PIL.Image.fromarray((coarse.astype(int) + grain).clip(0, 255).astype(np.uint8)).convert(mode)


def jpeg(mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    photo(mode).save(file, "JPEG", **options)
    return file.getvalue()


def body(data: bytes) -> int:
    """Where the first scan's data begins."""
    return data.index(b"\xff\xda") + 14


def is_refused(data: bytes) -> bool:
    for reduction in (1, 4):
        with pytest.raises(RejectedError) as caught:
            decoding.decode(data, reduction=reduction)
        assert caught.value.reason is Reason.TRUNCATED_IMAGE
    return True


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_good_file_decodes_as_in_pillow(way: str, mode: str):
    data = jpeg(mode, **WAYS[way])
    expected = np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decoding.decode(data), expected)
    if mode != "CMYK":
        np.testing.assert_array_equal(decoding.decode(data), cv2.imdecode(np.frombuffer(data, np.uint8), 1)[..., ::-1])
        reduced = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_4)[..., ::-1]
        np.testing.assert_array_equal(decoding.decode(data, reduction=4), reduced)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_file_without_its_middle_is_refused(way: str, mode: str):
    data = jpeg(mode, **WAYS[way])
    length = len(data) - body(data)
    for share in (0.1, 0.5, 0.9):
        cut = body(data) + int(share * length)
        assert is_refused(data[:cut] + END)
        # The rest of a download into a file of full length.
        assert is_refused(data[:cut] + bytes(len(data) - cut - 2) + END)
    for cut in (body(data) + length // 3, body(data) + length // 2):
        assert is_refused(data[:cut] + data[cut + 600 :])
        assert is_refused(data[:cut] + bytes(600) + data[cut + 600 :])
        assert is_refused(data[:cut] + generator(cut).bytes(600) + data[cut + 600 :])


HOLES = ["baseline", "444", "422", "optimized", "restarts"]


@pytest.mark.parametrize("way", HOLES)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("length", [32, 64, 512])
def test_zeros_anywhere_in_a_photograph_are_noticed(way: str, mode: str, length: int):
    """They are valid code, so the decoder goes on with other blocks, and may end at the same byte as before."""
    data = jpeg(mode, **WAYS[way])
    draw = generator(1, "holes", way, mode, length)
    for start in draw.integers(body(data), len(data) - length - 12, 30):
        assert is_refused(data[:start] + bytes(length) + data[start + length :])


def test_zeros_in_a_progressive_file_are_noticed_but_for_short_ones_in_corrections():
    """A scan that refines holds raw bits, of which zeros are as good as any."""
    data = jpeg(progressive=True)
    first, kept = decoding.decode(data).astype(int), 0
    for start in generator(2, "holes").integers(body(data), len(data) - 150, 60):
        assert is_refused(data[:start] + bytes(140) + data[start + 140 :])
        try:
            pixels = decoding.decode(data[:start] + bytes(32) + data[start + 32 :])
        except RejectedError:
            continue
        kept += 1
        assert (np.abs(pixels - first).max(-1) > 8).mean() < 0.1
    assert kept < 30


def flat_pictures() -> Iterator[PIL.Image.Image]:
    """One colour, rectangles, and ramps: their code has long runs of zeros."""
    draw = generator(0, "flat")
    for num_shapes in range(6):
        pixels = np.full((360, 480, 3), draw.integers(0, 256, 3), np.uint8)
        for _ in range(num_shapes):
            top, left = draw.integers(0, 300, 2)
            pixels[top : top + 150, left : left + 120] = draw.integers(0, 256, 3)
        yield PIL.Image.fromarray(pixels)
    ramp = np.linspace(0, 255, 700).astype(np.uint8)
    for pixels in (np.tile(ramp, (500, 1)), np.tile(ramp[:, None], (1, 900))):
        yield PIL.Image.fromarray(pixels).convert("RGB")


def test_zeros_that_are_the_code_of_a_flat_picture_pass():
    num_with_zeros = 0
    for picture, options, quality in itertools.product(flat_pictures(), WAYS.values(), (20, 75, 90)):
        file = io.BytesIO()
        picture.save(file, "JPEG", **{"quality": quality} | options)
        num_with_zeros += bytes(24) in file.getvalue()
        decoding.decode(file.getvalue(), reduction=8)
        if "progressive" not in options:
            for padding in (b"\0", b"\xff\xff"):
                decoding.decode(file.getvalue()[:-2] + padding + END, reduction=8)
    assert num_with_zeros > 20


def test_a_page_of_padding_before_the_end_is_no_damage_whatever_the_picture():
    for quality in range(40, 96):
        data = jpeg(quality=quality)
        np.testing.assert_array_equal(decoding.decode(data[:-2] + bytes(4096) + END), decoding.decode(data))


def test_a_progressive_file_without_its_last_scans_is_refused():
    data = jpeg(progressive=True)
    scans = [found.start() for found in re.finditer(rb"\xff[\xc4\xda]", data)][4:]
    assert len(scans) > 8
    for start in scans:
        assert is_refused(data[:start] + END)


def test_a_file_of_very_many_scans_is_refused_unread():
    """Each of them goes through all blocks: 120 KB could take hours."""
    data = jpeg(progressive=True)
    scans = [found.start() for found in re.finditer(b"\xff\xda", data)]
    bomb = data[: scans[1]] + 501 * data[scans[1] : scans[2]] + data[scans[2] :]
    with pytest.raises(RejectedError, match="scans, at most 500") as caught:
        decoding.decode(bomb)
    assert caught.value.reason is Reason.UNSUPPORTED_MODE


def test_a_file_with_a_scan_for_each_colour_is_refused_without_the_last():
    data = in_three_scans()
    np.testing.assert_array_equal(decoding.decode(data), cv2.imdecode(np.frombuffer(data, np.uint8), 1)[..., ::-1])
    assert is_refused(data[: data.rindex(b"\xff\xda")] + END)


def in_three_scans() -> bytes:
    """A grey picture's scan as that of each of three colours."""
    grey = jpeg("L", quality=95)
    start, frame = grey.index(b"\xff\xda"), grey.index(b"\xff\xc0")
    three = b"\xff\xc0" + struct.pack(">H", 17) + grey[frame + 4 : frame + 9] + b"\3\1\x11\0\2\x11\0\3\x11\0"
    scans = (b"\xff\xda\0\x08\1" + bytes([i]) + b"\0\0\x3f\0" + grey[start + 10 : -2] for i in (1, 2, 3))
    return grey[:frame] + three + grey[frame + 13 : start] + b"".join(scans) + END


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


@pytest.mark.parametrize("way", WAYS)
def test_oddities_of_good_files_pass(way: str):
    data = jpeg(**WAYS[way])
    expected = decoding.decode(data)
    oddities = {
        "bytes after the end": data + b"SEFT" * 9,
        "a second picture after the end": data + data,
        "zeros before the end": data[:-2] + bytes(500) + END,
        "a page of zeros before the end": data[:-2] + bytes(4096) + END,
        "a stray byte before the end": data[:-2] + b"\x17" + END,
        "fill before the end": data[:-2] + b"\xff" * 9 + END,
        "an unknown JFIF": data.replace(b"JFIF\0\1\1", b"JFIF\0\2\1", 1),
        "an unknown Adobe transform": data[:2] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\5") + data[2:],
        "a broken profile": data[:2] + segment(0xE2, b"ICC_PROFILE\0\5\2abc") + data[2:],
        "a comment with markers": data[:2] + segment(0xFE, b"\xff\xda\xff\xd9\xff\xc0") + data[2:],
    }
    for name, odd in oddities.items():
        np.testing.assert_array_equal(decoding.decode(odd), expected, err_msg=name)


def test_unusual_chroma_sampling_is_decoded():
    data = jpeg("CMYK", subsampling=1)
    assert decoding.decode(data + b"camera data").shape == (120, 160, 3)
    assert decoding.decode(data, reduction=4).shape == (30, 40, 3)


@pytest.mark.skipif(not PHOTOS, reason="no photographs at hand")
def test_no_photograph_is_refused():
    for path in PHOTOS:
        decoding.decode(path.read_bytes(), reduction=4)
