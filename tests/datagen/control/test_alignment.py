"""A condition of another size shows the same place once it has the picture's, and its classes keep their colours."""

import numpy as np
import pytest

from cologen.datagen.control.alignment import resized, stretch
from cologen.datagen.pair_records import ConditionKind

SIZES = [(768, 512), (640, 427), (304, 304), (96, 64)]


def test_stretch_is_of_proportions_alone() -> None:
    assert stretch((640, 427), (768, 512)) == pytest.approx(0.0008, abs=1e-4)
    assert stretch((640, 480), (704, 512)) == pytest.approx(0.03125)
    assert stretch((512, 704), (480, 640)) == stretch((480, 640), (512, 704))
    assert stretch((5, 4), (50, 40)) == 0


@pytest.mark.parametrize("condition", SIZES)
@pytest.mark.parametrize("image", SIZES)
@pytest.mark.parametrize("kind", ["depth", "segmentation"])
def test_a_landmark_keeps_its_place(condition: tuple[int, int], image: tuple[int, int], kind: ConditionKind) -> None:
    """A block that covers the same fractions of the sides before covers them after, to within a pixel of either."""
    width, height = condition
    drawn = np.zeros((height, width, 3), np.uint8)
    drawn[round(0.25 * height) : round(0.5 * height), round(0.6 * width) : round(0.85 * width)] = (200, 90, 30)
    found = resized(drawn, image, kind)
    assert found.shape == (image[1], image[0], 3)
    inside = found[..., 0] >= 100
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    for (first, last), (low, high), side, other in (
        (rows[[0, -1]], (0.25, 0.5), image[1], height),
        (columns[[0, -1]], (0.6, 0.85), image[0], width),
    ):
        assert abs(first / side - low) <= 1 / side + 1 / other
        assert abs((last + 1) / side - high) <= 1 / side + 1 / other
    moments = np.argwhere(inside).mean(axis=0) + 0.5
    assert np.allclose(moments / (image[1], image[0]), (0.375, 0.725), atol=1 / min(*image, *condition))


def test_colours_of_classes_are_never_mixed() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (8, 3), dtype=np.uint8)
    drawn = colours[np.random.default_rng(1).integers(0, 8, (60, 70))]
    known = {tuple(colour) for colour in colours.tolist()}
    for size in ((35, 30), (71, 59), (200, 180)):
        assert {tuple(colour) for colour in resized(drawn, size, "segmentation").reshape(-1, 3).tolist()} <= known
