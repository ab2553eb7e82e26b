"""A glance is the picture at a quarter of its sides, upright, and bad files are rejected."""

from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from cologen.datagen.images import decoding
from cologen.datagen.images.glance import glance
from cologen.datagen.randomness import generator
from cologen.datagen.records import Reason, RejectedError


def smooth(height: int, width: int) -> np.ndarray:
    coarse = generator(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize(("orientation", "size"), [(1, (160, 120)), (6, (120, 160)), (6, (160, 120))])
def test_a_glance_looks_like_the_picture_as_annotated(
    tmp_path: Path, name: str, orientation: int, size: tuple[int, int]
):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(smooth(120, 160)).save(tmp_path / name, exif=exif, quality=95)
    whole = decoding.decode((tmp_path / name).read_bytes(), size)
    small = glance(tmp_path, name, size)
    assert small.shape == (size[1] // 4, size[0] // 4, 3)
    expected = cv2.resize(whole, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - expected).mean() < 3


def test_bad_files_are_rejected_with_their_reason(tmp_path: Path):
    PIL.Image.fromarray(smooth(120, 160)).save(tmp_path / "a.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:900])
    (tmp_path / "text.jpg").write_text("not a picture")
    cases = {
        ("gone.jpg", (160, 120)): Reason.MISSING_IMAGE,
        ("half.jpg", (160, 120)): Reason.TRUNCATED_IMAGE,
        ("text.jpg", (160, 120)): Reason.NOT_AN_IMAGE,
        ("a.jpg", (161, 120)): Reason.SIZE_MISMATCH,
        ("../a.jpg", (160, 120)): Reason.UNSAFE_PATH,
    }
    for (name, size), reason in cases.items():
        with pytest.raises(RejectedError) as caught:
            glance(tmp_path, name, size)
        assert caught.value.reason is reason
