"""HED: the annotator's maps, whatever the batch, and edges that stay where they are."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cologen.datagen.control.annotators import annotator
from cologen.datagen.control.hed import Hed, load_hed
from cologen.datagen.control.maps import Images


@pytest.fixture(scope="module")
def hed(weights: Path) -> Hed:
    return load_hed(weights, device="cpu")


@pytest.mark.parametrize("safe", [False, True])
def test_maps_are_the_annotator_s(weights: Path, pictures: Images, safe: bool) -> None:
    detector = annotator("hed").HEDdetector.from_pretrained(str(weights))
    maps = load_hed(weights, device="cpu", safe=safe)(pictures)
    for picture, found in zip(pictures, maps, strict=True):
        pixels = (picture * 255).round().byte().permute(1, 2, 0).numpy()
        expected = detector(pixels, detect_resolution=128, image_resolution=128, safe=safe, output_type="np")
        grey = (found * 255).round().permute(1, 2, 0).numpy()
        far = np.abs(grey - expected) > 1
        assert far.mean() <= (1e-4 if safe else 0.0)  # a step may fall on the other side of its edge
    assert maps.std() > 0.02


def test_neighbours_change_nothing(hed: Hed, pictures: Images) -> None:
    maps = hed(pictures)
    assert torch.equal(hed(pictures[1:2]), maps[1:2])
    assert torch.equal(hed(pictures.flip(0)), maps.flip(0))


def test_other_sides_keep_their_pixels_in_place(hed: Hed) -> None:
    """Far from a cut nothing of it is seen: the maps of a picture and of its crop agree there pixel by pixel."""
    picture = torch.rand(1, 3, 64, 352, generator=torch.Generator().manual_seed(3))
    maps, cut = hed(picture), hed(picture[..., :341])
    assert cut.shape == (1, 3, 64, 341)
    assert torch.allclose(maps[..., :200], cut[..., :200], atol=1e-5)


def test_maps_are_maps(hed: Hed, pictures: Images) -> None:
    maps = hed(pictures)
    assert 0 <= maps.min() <= maps.max() <= 1
    assert torch.equal(maps[:, 0], maps[:, 2])
