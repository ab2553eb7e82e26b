"""A file means the same picture in training and in the inference pipeline."""

import numpy as np
import PIL.ImageOps
import pytest
import torch

from cologen.datagen import images
from cologen.model.pictures import to_rgb
from tests.pictures.samples import FORMATS, HEIGHT, WIDTH, every_kind, opened, pattern, turned

KINDS = dict(every_kind())


def in_training(data: bytes, size: tuple[int, int] | None = None) -> torch.Tensor:
    return torch.from_numpy(images.decode(data, size)).permute(2, 0, 1).float() / 127.5 - 1


@pytest.mark.parametrize("name", KINDS)
def test_every_format_and_mode_is_one_tensor(name: str):
    found = in_training(KINDS[name])
    torch.testing.assert_close(to_rgb(opened(KINDS[name])), found, rtol=0, atol=1e-6)
    assert found.shape == (3, HEIGHT, WIDTH)
    assert found.std() > 0.1


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_turn_is_made_once(form: str, orientation: int):
    data = turned(orientation, form)
    reference = opened(turned(1, form)).transpose(TURNS[orientation]) if orientation > 1 else opened(data)
    expected = torch.from_numpy(np.array(reference)).permute(2, 0, 1).float() / 127.5 - 1
    assert torch.equal(in_training(data), expected)
    torch.testing.assert_close(to_rgb(opened(data)), expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(images.decode(data), np.asarray(PIL.ImageOps.exif_transpose(opened(data))))
    stored = in_training(data, (WIDTH, HEIGHT))
    assert stored.shape == (3, HEIGHT, WIDTH)
    if orientation > 4 and form != "JPEG":
        np.testing.assert_array_equal(images.decode(data, (WIDTH, HEIGHT)), pattern())


TURNS = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}
