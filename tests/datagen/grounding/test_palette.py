"""A chosen colour can always be seen: proved over the palette, tried on synthetic pictures, photographs and noise."""

from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cologen.datagen import images, rle
from cologen.datagen.grounding.marks import cover, frames
from cologen.datagen.grounding.palette import MAX_NEAR_SHARE, MIN_DISTANCE, PALETTE, choose, lab, visible
from cologen.datagen.images import Picture
from cologen.datagen.randomness import generator
from cologen.datagen.records import Image

PHOTOS = Path(__file__).resolve().parents[4] / "shared" / "real" / "photos"
WorldImage = Callable[[int], tuple[Image, Picture]]


def distances(pixels: np.ndarray, rgb: tuple[int, int, int]) -> np.ndarray:
    return np.linalg.norm(lab(pixels) - lab(np.uint8([rgb])), axis=1)


def test_at_least_ten_colors_of_different_names():
    assert len({color.name for color in PALETTE}) == len(PALETTE) >= 10


def test_colors_lie_so_far_apart_that_one_can_always_be_seen():
    rgb = lab(np.uint8([color.rgb for color in PALETTE]))
    assert min(float(np.linalg.norm(one - two)) for one, two in combinations(rgb, 2)) >= 2 * MIN_DISTANCE
    assert MAX_NEAR_SHARE * (len(PALETTE) - 1) >= 1


@given(counts=st.lists(st.integers(0, 20), min_size=len(PALETTE), max_size=len(PALETTE)).filter(any))
def test_even_a_region_made_of_the_palette_leaves_a_color(counts: list[int]):
    pixels = np.repeat(np.uint8([color.rgb for color in PALETTE]), counts, axis=0)[None]
    assert visible(pixels, np.ones(pixels.shape[:2], np.uint8))


def assert_seen(picture: Picture, region: np.ndarray) -> str:
    color = choose(generator(0, "color"), picture, region)
    pixels = picture[region.astype(bool)]
    assert (distances(pixels, color.rgb) < MIN_DISTANCE).mean() <= MAX_NEAR_SHARE
    mean = lab(pixels).mean(axis=0)
    assert np.linalg.norm(mean - lab(np.uint8([color.rgb]))[0]) >= MIN_DISTANCE
    return color.name


def test_marks_on_the_world_are_seen_also_through_a_cover(world_image: WorldImage):
    seen = Counter[str]()
    for index in range(40):
        image, picture = world_image(index)
        for number, item in enumerate(image.objects):
            mask = rle.decode(item.rle, image.height, image.width)
            color = choose(generator(0, index, number), picture, mask)
            seen[color.name] += 1
            assert_seen(picture, mask)
            before, after = picture[mask.astype(bool)], cover(picture, mask, color.rgb, 0.4)[mask.astype(bool)]
            change = np.linalg.norm(lab(before) - lab(after), axis=1)
            assert np.quantile(change, 0.1) > 5  # twice what an eye can just tell apart
    assert set(seen) == {color.name for color in PALETTE}
    assert max(seen.values()) / seen.total() < 0.2


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="no folder of photographs beside the checkout")
def test_marks_on_photographs_are_seen_also_when_chosen_on_a_small_copy():
    for path in sorted(PHOTOS.iterdir()):
        picture = images.decode(path.read_bytes())
        height, width = picture.shape[:2]
        small = cv2.resize(picture, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
        stream = generator(0, path.name)
        for _ in range(15):
            left, top = int(stream.integers(width // 2)), int(stream.integers(height // 2))
            right = left + int(stream.integers(24, width // 2))
            bottom = top + int(stream.integers(24, height // 2))
            line = frames([(left, top, right, bottom)], 6, height, width)
            assert_seen(picture, line)
            chosen = choose(stream, small, (cv2.resize(line * 255, (width // 4, height // 4)) > 0).astype(np.uint8))
            # The copy's pixels are means of the picture's, so the share of near ones may differ a little.
            assert (distances(picture[line.astype(bool)], chosen.rgb) < MIN_DISTANCE).mean() <= 2 * MAX_NEAR_SHARE


def test_noise_leaves_a_color_too():
    noise = generator(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert_seen(noise, np.ones((64, 64), np.uint8))


def test_what_marks_nothing_has_no_color():
    with pytest.raises(ValueError, match="no pixel"):
        visible(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8))
