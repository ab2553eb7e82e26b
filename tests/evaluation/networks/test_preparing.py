"""Pictures to inputs: torchvision's transforms, number by number."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from cologen.evaluation.networks.preparing import HALVES, IMAGENET, OPENAI, resized_and_cropped, squashed
from tests.evaluation.tiny_networks import pictures_of


@settings(max_examples=25)
@given(width=st.integers(20, 130), height=st.integers(20, 130))
def test_the_chain_is_torchvision_s(width: int, height: int) -> None:
    picture = pictures_of((width, height))[0]
    chain = transforms.Compose(
        [
            transforms.Resize(40, interpolation=InterpolationMode.BICUBIC),
            transforms.CenterCrop(33),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET.mean, IMAGENET.std),
        ]
    )
    expected = chain(Image.fromarray(picture))
    assert torch.equal(IMAGENET(resized_and_cropped(picture, shorter=40, side=33)), expected)


def test_by_hand() -> None:
    """640 x 427 becomes 335 x 224; a margin of 111 pixels leaves 56 on the left (55.5, half to even)."""
    picture = np.zeros((427, 640, 3), dtype=np.uint8)
    picture[:, 159:161] = 255  # at 335 / 640 of its place: columns 83.2 to 84.3
    found = resized_and_cropped(picture, shorter=224, side=224)
    assert found.shape == (224, 224, 3)
    assert int(found[0, :, 0].argmax()) == 83 - 56


def test_a_picture_of_the_right_size_is_left_as_it_is() -> None:
    picture = pictures_of((48, 48))[0]
    assert np.array_equal(resized_and_cropped(picture, shorter=48, side=48), picture)
    assert squashed(picture, 48, Image.Resampling.BILINEAR) is picture
    assert squashed(pictures_of((30, 50))[0], 48, Image.Resampling.BILINEAR).shape == (48, 48, 3)


@pytest.mark.parametrize("normalisation", [IMAGENET, OPENAI, HALVES])
def test_the_mean_colour_is_zero(normalisation: object) -> None:
    assert callable(normalisation)
    grey = normalisation(np.full((2, 2, 3), 128, dtype=np.uint8))
    expected = [(128 / 255 - mean) / std for mean, std in zip(normalisation.mean, normalisation.std, strict=True)]  # type: ignore[attr-defined]
    assert torch.allclose(grey[:, 0, 0], torch.tensor(expected), atol=1e-6)


def test_readonly_pictures_are_read() -> None:
    picture = pictures_of((40, 40))[0]
    picture.flags.writeable = False
    assert HALVES(picture).abs().max() <= 1
