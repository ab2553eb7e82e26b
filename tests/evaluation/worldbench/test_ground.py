"""Grounds are told by colour, snow and tiles also by the tiles' joints."""

import numpy as np

from cologen.datagen.world.grounds import paint_ground
from cologen.datagen.world.vocabulary import GROUND_CLASSES
from cologen.evaluation.worldbench.ground import joint_depth, likeliest_ground
from cologen.evaluation.worldbench.palette import bins_of, palette


def test_empty_grounds_are_told_apart() -> None:
    found = palette("usual")
    for key in range(12):
        for index, name in enumerate(GROUND_CLASSES):
            picture = paint_ground(name, 21, f"unseen-{key}", 64, 64)
            assert likeliest_ground(picture, bins_of(picture), found) == index, (name, key)


def test_joints_are_as_deep_as_their_lines() -> None:
    """Lines of 30 levels below the rest, one pixel wide, 16 apart in a picture of 64: their row's mean is 30 lower."""
    picture = np.full((64, 64, 3), 200, dtype=np.uint8)
    assert joint_depth(picture) == 0
    picture[5::16] = 170
    picture[:, 5::16] = 170
    assert 20 < joint_depth(picture) < 30


def test_lines_at_other_distances_are_no_joints() -> None:
    picture = np.full((64, 64, 3), 200, dtype=np.uint8)
    picture[::5] = 170
    picture[:, ::5] = 170
    assert joint_depth(picture) < 12
