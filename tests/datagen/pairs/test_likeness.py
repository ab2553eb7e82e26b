"""Pictures saved again stay alike, edits of one object do not, and the hash is steady where nothing is to be seen."""

import cv2
import numpy as np
import pytest

from cologen.datagen import images
from cologen.datagen.images import Picture
from cologen.datagen.pairs.filters import PairPolicy
from cologen.datagen.pairs.likeness import SIDE, largest_change, likeness
from cologen.datagen.pairs.repeats import RepeatPolicy
from cologen.datagen.world.edits import sample_edit
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene

MIN_CHANGE = PairPolicy().min_change


def picture(index: int) -> Picture:
    return render(sample_scene(5, index), 256, 256).picture


def saved_again(shown: Picture, quality: int) -> Picture:
    encoded = cv2.imencode(".jpg", shown[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return images.decode(encoded.tobytes())


@pytest.mark.parametrize("index", range(6))
def test_a_picture_saved_again_is_alike_in_cells_and_in_hash(index: int):
    one, other = likeness(picture(index)), likeness(saved_again(picture(index), 80))
    assert largest_change(one, other) < MIN_CHANGE
    assert (one.hash ^ other.hash).bit_count() <= RepeatPolicy().hash_radius


@pytest.mark.parametrize("index", range(6))
def test_an_edit_of_one_object_is_a_change(index: int):
    edited = render(sample_edit(sample_scene(5, index), 1).after, 256, 256).picture
    assert largest_change(likeness(picture(index)), likeness(edited)) >= MIN_CHANGE


def test_other_pictures_have_other_hashes():
    hashes = [likeness(picture(index)).hash for index in range(20)]
    assert min((one ^ two).bit_count() for place, one in enumerate(hashes) for two in hashes[:place]) > 0
    assert all(0 <= one < 2**64 for one in hashes)


def test_change_is_symmetric_and_counts_levels_both_ways():
    dark, light = (likeness(np.full((64, 48, 3), level, np.uint8)) for level in (10, 250))
    assert largest_change(dark, light) == largest_change(light, dark) == 240
    assert largest_change(dark, dark) == 0
    assert dark.thumbnail.shape == (SIDE, SIDE, 3)


def test_a_plain_picture_has_the_same_hash_in_any_size():
    sizes = [(16, 16), (100, 37), (256, 256)]
    assert len({likeness(np.full((*size, 3), 77, np.uint8)).hash for size in sizes}) == 1
