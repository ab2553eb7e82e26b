"""The original picture fills its hole perfectly; a grey hole does not, and leaves the rest alone."""

import cv2
import numpy as np

from cologen.datagen.world.render import render
from cologen.datagen.world.scene import Scene
from cologen.evaluation.records import Region
from cologen.evaluation.worldbench.hole_measures import inpainted
from tests.evaluation.worldbench.drawn import SIDES, mean, picture_of, scenes


def test_the_original_is_right() -> None:
    values = [inpainted(picture_of(one), picture_of(one), _hole(one), one) for one in scenes("simple", 120)]
    assert mean(each.hidden for each in values) >= 0.97
    assert mean(each.nothing_added for each in values) == 1
    assert mean(each.l1_outside for each in values) == 0


def test_a_grey_hole_hides_its_object_and_changes_nothing_else() -> None:
    values = []
    for scene in scenes("simple", 30):
        picture, hole = picture_of(scene), _hole(scene)
        values.append(inpainted(np.where(hole[..., None] > 0, np.uint8(128), picture), picture, hole, scene))
    assert mean(each.hidden for each in values) < 0.1
    assert mean(each.l1_outside for each in values) == 0


def test_noise_has_nothing_right() -> None:
    scene = scenes("simple", 1)[0]
    noise = np.random.default_rng(0).integers(0, 256, size=(32, 32, 3)).astype(np.uint8)
    values = inpainted(noise, picture_of(scene), _hole(scene), scene)
    assert values.hidden == 0 and values.l1_outside is not None and values.l1_outside > 0.3


def test_a_hole_beside_all_objects_hides_none() -> None:
    scene = next(one for one in scenes("simple", 30) if len(one.objects) == 1)
    masks = render(scene, 32, 32).masks
    hole = (cv2.dilate(masks[0], np.ones((9, 9), dtype=np.uint8)) == 0).astype(np.uint8)
    values = inpainted(picture_of(scene), picture_of(scene), hole, scene)
    assert values.hidden is None
    assert values.nothing_added == 1


def _hole(scene: Scene) -> Region:
    """Around the object in front."""
    side = SIDES[scene.level]
    return cv2.dilate(render(scene, side, side).masks[-1], np.ones((5, 5), dtype=np.uint8)).astype(np.uint8)
