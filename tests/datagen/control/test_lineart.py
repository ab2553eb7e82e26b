"""Lineart: the annotator's maps, fine and coarse, whatever the batch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cologen.datagen.control.annotators import annotator
from cologen.datagen.control.lineart import load_lineart
from cologen.datagen.control.maps import Images


@pytest.mark.parametrize("coarse", [False, True])
def test_maps_are_the_annotator_s(weights: Path, pictures: Images, coarse: bool) -> None:
    detector = annotator("lineart").LineartDetector.from_pretrained(str(weights))
    maps = load_lineart(weights, device="cpu", coarse=coarse)(pictures)
    for picture, found in zip(pictures, maps, strict=True):
        pixels = (picture * 255).round().byte().permute(1, 2, 0).numpy()
        expected = detector(pixels, coarse=coarse, detect_resolution=128, image_resolution=128, output_type="np")
        grey = (found * 255).round().permute(1, 2, 0).numpy()
        assert np.abs(grey - expected).max() <= 1
    assert maps.std() > 0.02


def test_fine_and_coarse_are_two_networks(weights: Path, pictures: Images) -> None:
    fine, coarse = (load_lineart(weights, device="cpu", coarse=coarse)(pictures[:1]) for coarse in (False, True))
    assert not torch.allclose(fine, coarse, atol=0.01)


def test_neighbours_change_nothing(weights: Path, pictures: Images) -> None:
    lineart = load_lineart(weights, device="cpu")
    maps = lineart(pictures)
    assert torch.equal(lineart(pictures[1:2]), maps[1:2])


@pytest.mark.parametrize(("height", "width"), [(61, 97), (62, 99), (63, 100)])
def test_other_sides_come_back_whole(weights: Path, height: int, width: int) -> None:
    """What is added to the right and below is the last pixel again, and never seen again."""
    lineart = load_lineart(weights, device="cpu")
    picture = torch.rand(1, 3, height, width)
    maps = lineart(picture)
    extended = torch.nn.functional.pad(picture, (0, 100 - width, 0, 64 - height), mode="replicate")
    assert maps.shape == picture.shape
    assert torch.equal(maps, lineart(extended)[..., :height, :width])
