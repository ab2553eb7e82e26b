"""What the weight-free segmenter finds in pictures drawn here, in the synthetic dataset, and in photographs."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cologen.datagen import rle
from cologen.datagen.concepts.saliency import SaliencySegmenter, SaliencySettings
from cologen.datagen.concepts.segmenter import Segmenter
from cologen.datagen.images import Picture, decode
from cologen.datagen.randomness import generator
from cologen.datagen.records import ObjectMask
from cologen.datagen.rle import Mask
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene

PHOTOS = Path(__file__).resolve().parents[4] / "shared" / "real" / "photos"
RED, BLUE, GREY = (200, 40, 30), (30, 60, 200), (120, 120, 120)

# The subject's box in fractions of the picture, read off by eye.
SUBJECTS = {
    "book.jpg": (0.25, 0.13, 0.73, 0.87),
    "demo1.jpg": (0.32, 0.31, 0.81, 0.85),
    "dog.png": (0.29, 0.07, 0.87, 0.89),
    "oranges.jpg": (0.14, 0.17, 0.83, 0.87),
    "rc_car.jpg": (0.20, 0.20, 0.72, 0.91),
}


def found(picture: Picture, settings: SaliencySettings | None = None) -> tuple[ObjectMask, ...]:
    return SaliencySegmenter(settings or SaliencySettings())([picture], [("dog",)], ["sample"])[0]


def masks(picture: Picture) -> list[Mask]:
    return [rle.decode(thing.rle, *picture.shape[:2]) for thing in found(picture)]


def noise(height: int, width: int, color: tuple[int, int, int] = GREY) -> Picture:
    grain = generator(1, "noise").normal(0, 12, size=(height, width, 3))
    return np.clip(np.array(color) + grain, 0, 255).astype(np.uint8)


def with_disc(
    picture: Picture, center: tuple[int, int], radius: int, color: tuple[int, int, int]
) -> tuple[Picture, Mask]:
    mask = cv2.circle(np.zeros(picture.shape[:2], np.uint8), center, radius, (1,), -1)
    return np.where(mask[..., None] > 0, np.array(color, np.uint8), picture), mask


def iou(a: Mask, b: Mask) -> float:
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (200, 320), (512, 512), (1024, 700)])
def test_a_disc_on_noise_is_found_exactly(height: int, width: int) -> None:
    radius = min(height, width) // 5
    picture, truth = with_disc(noise(height, width), (width // 2, height * 2 // 5), radius, RED)
    (mask,) = masks(picture)
    assert iou(mask, truth) > 0.9


def test_two_discs_are_two_objects() -> None:
    picture, left = with_disc(noise(300, 400), (110, 150), 60, RED)
    picture, right = with_disc(picture, (290, 160), 60, BLUE)
    result = masks(picture)
    assert len(result) == 2
    assert all(max(iou(mask, truth) for mask in result) > 0.9 for truth in (left, right))


def test_two_discs_that_touch_are_two_objects() -> None:
    picture, left = with_disc(noise(300, 400), (130, 150), 70, RED)
    picture, right = with_disc(picture, (265, 150), 70, BLUE)
    result = masks(picture)
    assert len(result) == 2
    assert all(max(iou(mask, truth) for mask in result) > 0.9 for truth in (left & ~right, right))


def test_a_grey_picture_has_objects_too() -> None:
    picture, truth = with_disc(noise(256, 256, (90, 90, 90)), (128, 120), 50, (220, 220, 220))
    grey = np.repeat(picture[..., :1], 3, axis=2)
    assert max(iou(mask, truth) for mask in masks(grey)) > 0.9


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_flat_picture_has_no_object(value: int) -> None:
    assert found(np.full((120, 200, 3), value, np.uint8)) == ()


@pytest.mark.slow
def test_a_texture_or_a_slope_has_no_object() -> None:
    slope = np.repeat(np.tile(np.linspace(0, 255, 256), (256, 1))[..., None], 3, axis=2).astype(np.uint8)
    stripes = np.where(np.indices((256, 256))[1, ..., None] // 16 % 2, 60, 200) * np.ones(3)
    grounds = [render(replace(sample_scene(5, i), objects=()), 256, 256).picture for i in range(6)]
    for picture in (slope, stripes.astype(np.uint8), noise(256, 256), *grounds):
        assert found(picture) == ()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (16, 16), (32, 1024), (1024, 32), (33, 47)])
def test_any_size_is_taken(height: int, width: int) -> None:
    picture = generator(2, "pixels").integers(0, 256, size=(height, width, 3), dtype=np.uint8)
    for thing in found(picture):
        assert rle.area(thing.rle) > 0


@pytest.mark.slow
def test_the_synthetic_world_is_found() -> None:
    best: list[float] = []
    right: list[bool] = []
    for index in range(12):
        rendering = render(sample_scene(21, index), 256, 256)
        result = masks(rendering.picture)
        truths = [mask for mask in rendering.masks if mask.mean() > 0.01]
        best += [max((iou(truth, mask) for mask in result), default=0) for truth in truths]
        right += [max(iou(truth, mask) for truth in rendering.masks) > 0.5 for mask in result]
    assert np.mean(right) > 0.85
    assert np.mean(np.array(best) > 0.5) > 0.55


@pytest.mark.slow
def test_objects_stay_within_their_limits() -> None:
    settings = SaliencySettings(max_objects=2, min_score=0.3, min_area=0.02, max_area=0.2)
    for index in range(8):
        picture = render(sample_scene(3, index), 320, 240).picture
        result = found(picture, settings)
        scores = [thing.score for thing in result]
        areas = [rle.area(thing.rle) / (320 * 240) for thing in result]
        assert len(result) <= 2
        assert scores == sorted(scores, reverse=True)
        assert all(0.3 <= score <= 1 for score in scores)
        assert all(0.02 <= area <= 0.2 for area in areas)


@pytest.mark.slow
def test_objects_are_unnamed_things_with_tight_boxes_that_do_not_overlap() -> None:
    for index in range(8):
        picture = render(sample_scene(4, index), 200, 300).picture
        result = found(picture)
        assert all(thing.noun is None and thing.kind == "thing" for thing in result)
        assert all(thing.box == rle.box(thing.rle, 300, 200) for thing in result)
        layers = [np.zeros((300, 200), np.uint8), *(rle.decode(thing.rle, 300, 200) for thing in result)]
        assert np.sum(layers, axis=0).max() <= 1


@pytest.mark.slow
def test_neighbours_order_and_repetition_change_nothing() -> None:
    segmenter: Segmenter = SaliencySegmenter(SaliencySettings())
    pictures = [render(sample_scene(6, index), 256, 200).picture for index in range(4)]
    words, keys = [()] * 4, list("abcd")
    together = segmenter(pictures, words, keys)
    cv2.setRNGSeed(12345)
    assert segmenter(pictures[::-1], words, keys)[::-1] == together
    assert [segmenter([picture], [("cat",)], ["else"])[0] for picture in pictures] == together


_DIGEST = """
import hashlib, cv2
from cologen.datagen.concepts.saliency import SaliencySegmenter, SaliencySettings
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene
cv2.setNumThreads({threads})
pictures = [render(sample_scene(8, index), 300, 260).picture for index in range(6)]
print(hashlib.sha256(repr(SaliencySegmenter(SaliencySettings())(pictures, [()] * 6, [""] * 6)).encode()).hexdigest())
"""


@pytest.mark.slow
def test_the_number_of_threads_changes_nothing() -> None:
    def digest(threads: int) -> str:
        environment = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        command = [sys.executable, "-c", _DIGEST.format(threads=threads)]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    assert digest(1) == digest(4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_objects": 0},
        {"min_score": 1.5},
        {"min_area": 0.0},
        {"max_area": 0.001},
        {"working_side": 8},
        {"num_patches": 2},
    ],
)
def test_settings_outside_their_range_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SaliencySettings(**wrong)  # pyright: ignore[reportArgumentType]


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photographs are not beside the checkout")
@pytest.mark.parametrize("name", SUBJECTS)
def test_the_subject_of_a_photograph_is_found(name: str) -> None:
    picture = decode((PHOTOS / name).read_bytes())
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = SUBJECTS[name]
    subject = np.zeros((height, width), np.uint8)
    subject[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)] = 1
    covered = np.zeros_like(subject)
    for thing in found(picture):
        left, top, right, bottom = (int(side) for side in thing.box.xyxy())
        covered[top:bottom, left:right] = 1
    assert iou(covered, subject) > 0.75
