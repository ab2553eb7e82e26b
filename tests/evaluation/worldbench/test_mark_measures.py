"""The drawn mark is right; the source, a mark on another object, in another colour and noise are not."""

import cv2
import numpy as np
import pytest

from cologen.datagen.grounding.marks import cover, draw_boxes, frames
from cologen.datagen.grounding.palette import PALETTE, Color, choose
from cologen.datagen.randomness import generator
from cologen.datagen.world.render import Rendering, render
from cologen.evaluation.records import Picture
from cologen.evaluation.worldbench.mark_measures import MarkAsked, grounded
from cologen.evaluation.worldbench.mark_reading import MarkKind
from tests.evaluation.worldbench.drawn import mean, scenes

KINDS: tuple[MarkKind, ...] = ("frame", "cover")


def cases(kind: MarkKind) -> list[tuple[Rendering, MarkAsked, Color]]:
    found = []
    for index, scene in enumerate(scenes("simple", 60)):
        rendering = render(scene, 32, 32)
        if len(scene.objects) > 1:
            region = rendering.masks[0] if kind == "cover" else frames([_sides(rendering, 0)], 1, 32, 32)
            color = choose(generator(0, index), rendering.picture, region)
            found.append((rendering, MarkAsked(kind=kind, targets=(0,), color=color.name), color))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_asked_mark_is_right(kind: MarkKind) -> None:
    values = [grounded(_marked(picture, kind, 0, color), picture, asked) for picture, asked, color in cases(kind)]
    assert mean(each.iou for each in values) >= 0.95
    assert mean(each.color for each in values) == 1
    assert mean(each.target for each in values) == 1
    assert mean(each.l1_outside for each in values) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_soft_and_noisy_mark_is_nearly_as_good(kind: MarkKind) -> None:
    values = []
    for index, (rendering, asked, color) in enumerate(cases(kind)):
        soft = cv2.GaussianBlur(_marked(rendering, kind, 0, color), (0, 0), 0.4)
        noisy = np.clip(soft + generator(1, index).normal(0, 4, soft.shape), 0, 255).astype(np.uint8)
        values.append(grounded(noisy, rendering, asked))
    assert mean(each.iou for each in values) >= 0.9
    assert mean(each.color for each in values) >= 0.97
    assert mean(each.target for each in values) >= 0.97


@pytest.mark.parametrize("kind", KINDS)
def test_a_mark_on_another_object_misses_its_target(kind: MarkKind) -> None:
    values = [grounded(_marked(picture, kind, 1, color), picture, asked) for picture, asked, color in cases(kind)]
    assert mean(each.target for each in values) == 0
    assert mean(each.iou for each in values) < 0.15
    assert mean(each.l1_outside for each in values) > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_the_source_has_no_mark_and_noise_no_right_one(kind: MarkKind) -> None:
    for index, (rendering, asked, _) in enumerate(cases(kind)[:10]):
        same = grounded(rendering.picture, rendering, asked)
        assert (same.iou, same.color, same.target, same.l1_outside) == (0, 0, 0, 0)
        noise = generator(2, index).integers(0, 256, size=(32, 32, 3)).astype(np.uint8)
        assert grounded(noise, rendering, asked).iou < 0.5


def test_where_any_of_a_class_will_do_each_of_them_is_right_and_another_object_is_not() -> None:
    for rendering, asked, color in cases("frame")[:10]:
        either = MarkAsked(kind="frame", targets=(0, 1), color=asked.color, any_of=True)
        assert all(grounded(_marked(rendering, "frame", i, color), rendering, either).target == 1 for i in (0, 1))
        both = MarkAsked(kind="frame", targets=(0, 1), color=asked.color)
        assert grounded(_marked(rendering, "frame", 0, color), rendering, both).iou < 0.95
        if len(rendering.boxes) > 2:
            assert grounded(_marked(rendering, "frame", 2, color), rendering, either).target == 0


def test_another_colour_is_seen() -> None:
    for rendering, asked, color in cases("frame")[:10]:
        other = next(each for each in PALETTE if each.name not in (color.name, "pink", "gray"))
        values = grounded(_marked(rendering, "frame", 0, other), rendering, asked)
        assert values.color == 0


def _marked(rendering: Rendering, kind: MarkKind, target: int, color: Color) -> Picture:
    if kind == "cover":
        return cover(rendering.picture, rendering.masks[target], color.rgb, 0.6)
    return draw_boxes(rendering.picture, [_sides(rendering, target)], color.rgb, 1)


def _sides(rendering: Rendering, target: int) -> tuple[float, float, float, float]:
    box = rendering.boxes[target]
    return box.x0, box.y0, box.x1, box.y1
