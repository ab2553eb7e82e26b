"""A rendering has its own edges, classes and order in depth; another scene's has not."""

from dataclasses import replace

import numpy as np

from cologen.datagen.world.objects import full_mask
from cologen.datagen.world.render import render
from cologen.evaluation.metrics.edges import canny_edges
from cologen.evaluation.worldbench.control_measures import (
    UNCLEAR,
    class_map,
    covering_pairs,
    depth_order,
    edge_f1,
    segmentation_miou,
)
from cologen.evaluation.worldbench.reading import Reading, read
from tests.evaluation.worldbench.drawn import mean, scenes

SIDE = 64


def test_a_rendering_has_its_own_edges() -> None:
    first, second = (render(one, SIDE, SIDE).picture for one in scenes("simple", 2))
    edges = canny_edges(first).astype(np.uint8) * 255
    assert edge_f1(first, edges) == 1
    assert edge_f1(second, edges) < 0.5
    assert edge_f1(np.full_like(first, 128), edges) == 0


def test_a_rendering_has_its_own_classes_and_another_s_has_not() -> None:
    some = scenes("usual", 20)
    drawn = [render(one, SIDE, SIDE) for one in some]
    readings = [read(each.picture, "usual") for each in drawn]
    own = [segmentation_miou(reading, each.class_map) for reading, each in zip(readings, drawn, strict=True)]
    other = [segmentation_miou(reading, each.class_map) for reading, each in zip(readings[1:], drawn[:-1], strict=True)]
    assert mean(own) >= 0.9
    assert mean(other) <= 0.2


def test_what_is_unclear_is_no_class() -> None:
    nothing = Reading(ground=None, objects=())
    assert (class_map(nothing, 4, 5) == UNCLEAR).all()
    assert segmentation_miou(nothing, render(scenes("simple", 1)[0], 32, 32).class_map) == 0


def test_the_nearer_of_two_objects_covers_the_other() -> None:
    """And with their order turned round, it is the other way."""
    right, wrong = [], []
    overlapping = [scene for scene in scenes("simple", 300) if covering_pairs(scene, SIDE, SIDE)]
    for scene in overlapping:
        turned = replace(scene, objects=scene.objects[::-1])
        for drawn, orders in ((scene, right), (turned, wrong)):
            picture = render(drawn, SIDE, SIDE).picture
            orders.append(depth_order(picture, read(picture, "simple"), scene).order)
    assert len(overlapping) >= 15
    assert mean(right) >= 0.95
    assert mean(wrong) <= 0.05


def test_rims_that_touch_are_no_overlap() -> None:
    """Two boxes side by side, whose silhouettes share a line of a pixel, and then a square of two."""
    scene = next(one for one in scenes("simple", 60) if len(one.objects) == 2)
    box = replace(scene.objects[0], shape="box", x=0.3, y=0.5, scale=0.2, angle=0.0)
    wide = [np.ptp(np.flatnonzero(full_mask(box, 64, 64).any(axis=0))) + 1][0]
    for shared, pairs in ((0, []), (1, []), (2, [(0, 1)])):
        other = replace(box, x=box.x + (wide - shared) / 64)
        assert (full_mask(box, 64, 64) & full_mask(other, 64, 64)).any(axis=0).sum() == shared
        assert covering_pairs(replace(scene, objects=(box, other)), 64, 64) == pairs


def test_scenes_without_overlaps_have_no_order() -> None:
    scene = next(one for one in scenes("simple", 30) if len(one.objects) == 1)
    blank = np.full((SIDE, SIDE, 3), 128, np.uint8)
    values = depth_order(blank, Reading(ground=scene.ground, objects=()), scene)
    assert values.order is None and values.found is None
