"""Control: whether a picture has the edges, the classes and the order in depth of the map that it was made from.

Depth itself is not in a picture. What is: where two silhouettes meet, the nearer object covers the farther one.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cologen.datagen.world.objects import SceneObject, full_mask
from cologen.datagen.world.scene import Scene
from cologen.datagen.world.surfaces import paint_object
from cologen.datagen.world.vocabulary import GROUND_CLASSES, OBJECT_CLASSES
from cologen.evaluation.metrics.classes import class_areas, mean_iou
from cologen.evaluation.metrics.edges import canny_edges, edge_counts, edges_of_map, pooled_f1
from cologen.evaluation.records import ConditionMap, Picture
from cologen.evaluation.worldbench.matching import as_scene_object, in_place, matched
from cologen.evaluation.worldbench.reading import Reading

NUM_CLASSES = len(OBJECT_CLASSES) + len(GROUND_CLASSES)
UNCLEAR = NUM_CLASSES
"""The class of pixels that are read as no shape or no ground; no label has it."""
_IGNORED = 255
_LEAST_OVERLAP = 2
"""Pixels along each side of a square that two silhouettes share before one is said to cover the other: a line of one
pixel is the rim of both."""


def edge_f1(output: Picture, edges: ConditionMap) -> float:
    """F1 in [0, 1] of the output's canny edges and those of a map, white on black; as in ``metrics.edges``."""
    found = canny_edges(output)
    return pooled_f1([edge_counts(found, edges_of_map(edges, (output.shape[1], output.shape[0])))])


def class_map(reading: Reading, height: int, width: int) -> ConditionMap:
    """The classes of a rendering's ``class_map``, as they were read, and ``UNCLEAR``."""
    ground = UNCLEAR if reading.ground is None else len(OBJECT_CLASSES) + GROUND_CLASSES.index(reading.ground)
    classes = np.full((height, width), ground, dtype=np.uint8)
    for found in reading.objects:
        classes[found.mask] = UNCLEAR if found.shape is None else OBJECT_CLASSES.index(found.shape)
    return classes


def segmentation_miou(reading: Reading, labels: ConditionMap) -> float:
    """Mean IoU in [0, 1] over the classes of one picture, of what was read and a rendering's ``class_map``."""
    predicted = class_map(reading, *labels.shape).astype(np.float32)
    return mean_iou([class_areas(predicted, labels, num_classes=NUM_CLASSES + 1, ignored=_IGNORED)])


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderValues:
    """``found`` and ``order`` in [0, 1], higher is better; None where no object of the scene covers another.

    ``found`` is the share of such pairs of which both are read in their places, ``order`` that of all such pairs which
    are read with the nearer one covering the other.
    """

    found: float | None
    order: float | None


def covering_pairs(scene: Scene, height: int, width: int) -> list[tuple[int, int]]:
    """The pairs (farther, nearer) of a scene's objects of which one covers the other, in a picture of this size."""
    full, square = [full_mask(thing, width, height) for thing in scene.objects], np.ones([_LEAST_OVERLAP] * 2, np.uint8)
    # Objects come from back to front.
    return [(i, j) for j in range(len(full)) for i in range(j) if cv2.erode(np.minimum(full[i], full[j]), square).any()]


def depth_order(output: Picture, reading: Reading, scene: Scene) -> OrderValues:
    """Whether what covers what in the scene does so in a picture, given what was read in it."""
    height, width = output.shape[:2]
    partners, pairs = matched(scene.objects, reading.objects, in_place), covering_pairs(scene, height, width)
    if not pairs:
        return OrderValues(found=None, order=None)
    read = [(far, near) for i, j in pairs if (far := partners[i]) is not None and (near := partners[j]) is not None]
    right = sum(_covers(output, as_scene_object(near), as_scene_object(far)) for far, near in read)
    return OrderValues(found=len(read) / len(pairs), order=right / len(pairs))


def _covers(output: Picture, near: SceneObject, far: SceneObject) -> bool:
    """Whether the picture is more like ``near`` painted over ``far`` than like the reverse."""

    def painted(*from_back: SceneObject) -> Picture:
        picture = output.copy()
        for thing in from_back:
            paint_object(picture, thing)
        return picture

    right, wrong = painted(far, near), painted(near, far)
    return bool(np.abs(right - output.astype(int)).sum() < np.abs(wrong - output.astype(int)).sum())
