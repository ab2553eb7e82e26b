"""Palettes: a colour for every class, and maps in exactly these colours."""

import numpy as np
import pytest
import torch

from cologen.datagen.control.segmentation import ade20k_palette, coco_stuff_palette, coloured


def test_ade20k_has_black_and_150_colours() -> None:
    palette = ade20k_palette()
    assert palette.shape == (151, 3)
    assert palette[:4].tolist() == [
        [0, 0, 0],
        [120, 120, 120],
        [180, 120, 120],
        [6, 230, 230],
    ]  # other, wall, building, sky
    assert palette[150].tolist() == [92, 0, 255]


def test_coco_stuff_tells_all_182_apart() -> None:
    palette = coco_stuff_palette()
    assert palette.shape == (256, 3)
    assert len(np.unique(palette[:182], axis=0)) == 182
    assert palette[:3].tolist() == [[128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert palette[7].tolist() == [64, 0, 0]  # id 8: the fourth bit is red's second
    assert not palette[182:].any()


def test_maps_have_the_colours_of_their_classes() -> None:
    palette = coco_stuff_palette()
    values = torch.randint(0, 256, (2, 5, 7), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    found = (coloured(values, palette) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    assert np.array_equal(found, palette[values.numpy()])


def test_a_value_without_a_colour_is_named() -> None:
    with pytest.raises(ValueError, match="values from 0 to 151, the palette has colours for 0 to 150"):
        coloured(torch.tensor([[[0, 151]]]), ade20k_palette())
