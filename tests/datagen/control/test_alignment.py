"""Aligned crops: one place in two pictures, inside both, of the target's proportions, by seed and key."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cologen.datagen.control.alignment import aligned_crops, resized, stretch
from cologen.datagen.pair_records import ConditionKind

SIZES = [(768, 512), (640, 427), (304, 304), (96, 64)]
SIDES = st.tuples(st.integers(1, 3000), st.integers(1, 3000))


@given(SIDES, SIDES, SIDES, st.integers(0, 2**63))
def test_the_same_fractions_of_both(
    image: tuple[int, int], condition: tuple[int, int], target: tuple[int, int], seed: int
) -> None:
    box, other = aligned_crops(image, condition, target, seed, "coco/1")
    assert 0 <= box.x0 < box.x1 <= image[0]
    assert 0 <= box.y0 < box.y1 <= image[1]
    assert 0 <= other.x0 < other.x1 <= condition[0]
    assert 0 <= other.y0 < other.y1 <= condition[1]
    assert box.width / box.height == pytest.approx(target[0] / target[1], rel=1e-6)
    assert box.width == pytest.approx(image[0]) or box.height == pytest.approx(image[1])
    scales = np.array([image, image]).ravel() / np.array([condition, condition]).ravel()
    assert np.allclose(np.array(other.xyxy()) * scales, box.xyxy(), rtol=1e-9, atol=1e-9)


def test_multigen_s_sizes() -> None:
    box, other = aligned_crops((640, 427), (768, 512), (512, 512), 0, "coco/219578")
    assert (box.width, box.height) == pytest.approx((427, 427))
    assert (other.width, other.height) == pytest.approx((512.4, 512))


def test_the_place_belongs_to_the_key() -> None:
    crops = [aligned_crops((640, 427), (640, 427), (512, 512), 0, "coco", number) for number in range(50)]
    assert crops[7] == aligned_crops((640, 427), (640, 427), (512, 512), 0, "coco", 7)
    assert min(box.x0 for box, _ in crops) < 20
    assert max(box.x1 for box, _ in crops) > 620
    assert all(box == other for box, other in crops)


def test_resized_crops_show_the_same_place() -> None:
    """A slope says of each pixel where it was; at any pair of sizes both crops say the same."""
    slopes = [
        Image.fromarray(np.tile((np.arange(width, dtype=np.float32) + 0.5) / width, (height, 1)))
        for width, height in ((640, 427), (768, 512))
    ]
    boxes = aligned_crops((640, 427), (768, 512), (256, 256), 3, "coco/1")
    image, condition = (
        np.asarray(slope.resize((256, 256), Image.Resampling.BILINEAR, box=box.xyxy()))
        for slope, box in zip(slopes, boxes, strict=True)
    )
    assert np.abs(image - condition)[:, 4:-4].max() < 0.1 / 640  # a tenth of a pixel, of which Pillow's filter has most


def test_empty_sides_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(0, 512\)"):
        aligned_crops((640, 427), (0, 512), (512, 512), 0)


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
