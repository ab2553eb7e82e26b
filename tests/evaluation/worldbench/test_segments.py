"""Pixels get their classes, and connected pixels of one colour are a segment."""

import numpy as np

from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene
from cologen.evaluation.worldbench.segments import Segment, evidence, segments, split


def test_segments_are_the_visible_masks_of_apart_objects() -> None:
    for index in range(20):
        scene = sample_scene(4, index, "simple")
        rendering = render(scene, 64, 64)
        seen = evidence(rendering.picture, "simple")
        assert seen.ground == scene.ground
        found = segments(seen, 40.0)
        for thing, mask in zip(scene.objects, rendering.masks, strict=True):
            own = [part.pixels for part in found if seen.color_names[part.color] == thing.color]
            best = max(_iou(pixels, mask.astype(bool)) for pixels in own)
            assert best > 0.75, (index, thing.shape)


def test_probabilities_leave_room_for_nothing_known() -> None:
    seen = evidence(render(sample_scene(4, 0, "usual"), 64, 64).picture, "usual")
    total = seen.colors.sum(axis=-1) + seen.backdrop
    assert total.max() <= 1 + 1e-5 and total.min() >= 0


def test_noise_is_no_ground() -> None:
    noise = np.random.default_rng(0).integers(0, 256, size=(64, 64, 3)).astype(np.uint8)
    assert evidence(noise, "usual").ground is None


def test_thin_lines_are_no_segments() -> None:
    seen = evidence(render(sample_scene(4, 0, "simple"), 64, 64).picture, "simple")
    colors = np.zeros_like(seen.colors)
    colors[10:12, 5:60, 0] = 1  # two pixels thick
    colors[30:40, 5:15, 1] = 1
    lines = type(seen)(seen.ground, seen.color_names, colors, 1 - colors.sum(axis=-1))
    (found,) = segments(lines, 20.0)
    assert (found.color, found.area) == (1, 100)


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_two_regions_with_a_narrow_bridge_are_split_and_one_is_not() -> None:
    pixels = np.zeros((40, 40), dtype=bool)
    pixels[5:15, 5:15] = pixels[20:32, 20:34] = True
    pixels[12:24, 13:15] = pixels[22:24, 13:22] = True  # two pixels wide
    whole = Segment(3, pixels, int(pixels.sum()))
    first, second = split(whole, 20.0)
    assert (first.color, second.color) == (3, 3)
    assert (first.pixels ^ second.pixels == pixels).all()
    assert first.pixels[8, 8] != first.pixels[25, 25]
    assert len(split(Segment(0, pixels & (np.arange(40) < 12), 70), 20.0)) == 1
