"""What is drawn is read; what is not drawn is not; what was damaged is read as what it now is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from cologen.datagen.world.edits import EditKind, edit
from cologen.datagen.world.levels import LevelName
from cologen.datagen.world.objects import SceneObject
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import Scene, sample_scene
from cologen.evaluation.records import Picture
from cologen.evaluation.worldbench.reading import ReadObject, read

Damage = Callable[[Picture], Picture]


def untouched(picture: Picture) -> Picture:
    return picture


def noisy(picture: Picture) -> Picture:
    noise = np.random.default_rng(0).normal(0, 8, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def soft(picture: Picture) -> Picture:
    return cv2.GaussianBlur(picture, (0, 0), 0.5).astype(np.uint8)


def compressed(picture: Picture) -> Picture:
    data = BytesIO()
    Image.fromarray(picture).save(data, format="JPEG", quality=90, subsampling=0)
    return np.asarray(Image.open(data))


@pytest.mark.parametrize(
    ("level", "side", "damage", "least"),
    [
        ("simple", 32, untouched, 0.99),
        ("simple", 64, untouched, 0.99),
        ("simple", 32, noisy, 0.98),
        ("simple", 32, soft, 0.97),
        ("simple", 32, compressed, 0.97),
        ("usual", 64, untouched, 0.975),
        ("usual", 64, noisy, 0.955),
        ("rich", 128, untouched, 0.94),
    ],
)
def test_objects_are_read_from_renderings(level: LevelName, side: int, damage: Damage, least: float) -> None:
    """Shape, colour and a middle within a sixteenth of the side; hardly anything else is found."""
    right = total = extra = 0
    for index in range(40 if level == "rich" else 80):
        scene = sample_scene(31, index, level)
        reading = read(damage(render(scene, side, side).picture), level)
        found = sum(is_read(thing, reading.objects) for thing in scene.objects)
        right, total = right + found, total + len(scene.objects)
        extra += sum(thing.shape is not None for thing in reading.objects) - found
    assert right / total >= least, right / total
    assert extra <= {"simple": 0.01, "usual": 0.05, "rich": 0.14}[level] * total, extra / total


@pytest.mark.parametrize(("level", "side"), [("simple", 32), ("usual", 64)])
def test_nothing_is_read_from_empty_grounds(level: LevelName, side: int) -> None:
    for index in range(100):
        scene = replace(sample_scene(32, index, level), objects=())
        reading = read(render(scene, side, side).picture, level)
        assert not reading.objects, index


def test_the_ground_is_read() -> None:
    scenes = [sample_scene(33, index, "usual") for index in range(60)]
    right = sum(read(render(scene, 64, 64).picture, "usual").ground == scene.ground for scene in scenes)
    assert right >= 59


@pytest.mark.parametrize("kind", ["recolor", "remove", "replace", "move"])
def test_a_changed_object_is_no_longer_read_as_it_was(kind: EditKind) -> None:
    changed = kept = num_kept = num = 0
    for index in range(40):
        done = edit(sample_scene(34, index, "simple"), kind, 0)
        if done is None:
            continue
        num += 1
        found = read(render(done.after, 32, 32).picture, "simple").objects
        changed += not is_read(done.before.objects[done.index], found)
        others = [thing for i, thing in enumerate(done.before.objects) if i != done.index]
        kept, num_kept = kept + sum(is_read(thing, found) for thing in others), num_kept + len(others)
    assert num > 15
    assert changed == num
    assert kept >= 0.97 * num_kept


def test_a_blob_has_no_shape() -> None:
    """An object blurred by two thirds of its radius is mostly not found, and seldom told to be what it was."""
    told = num = 0
    for index in range(80):
        scene = _alone(sample_scene(35, index, "simple"))
        thing = scene.objects[0]
        if thing.shape == "ball":
            continue
        picture = cv2.GaussianBlur(render(scene, 32, 32).picture, (0, 0), 0.65 * thing.scale * 32).astype(np.uint8)
        told, num = told + is_read(thing, read(picture, "simple").objects), num + 1
    assert told <= 0.05 * num


def test_a_noise_picture_has_neither_ground_nor_objects() -> None:
    noise = np.random.default_rng(1).integers(0, 256, size=(32, 32, 3)).astype(np.uint8)
    reading = read(noise, "simple")
    assert reading.ground is None and not reading.objects


def test_masks_are_in_the_picture_s_size() -> None:
    scene = sample_scene(31, 0, "simple")
    rendering = render(scene, 96, 64)
    for thing in read(rendering.picture, "simple").objects:
        assert thing.mask.shape == (64, 96)
        (index,) = (i for i, it in enumerate(scene.objects) if is_read(it, [thing]))
        truth = rendering.masks[index].astype(bool)
        assert (thing.mask & truth).sum() / (thing.mask | truth).sum() > 0.7


def is_read(thing: SceneObject, found: Sequence[ReadObject]) -> bool:
    return any(
        (other.shape, other.color) == (thing.shape, thing.color)
        and max(abs(other.x - thing.x), abs(other.y - thing.y)) < 1 / 16
        for other in found
    )


def _alone(scene: Scene) -> Scene:
    return replace(scene, objects=scene.objects[-1:])
