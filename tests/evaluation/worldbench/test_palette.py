"""Colours that the renderer paints are likelier for what was painted than for anything else."""

import numpy as np

from cologen.datagen.world.grounds import paint_ground
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene
from cologen.datagen.world.vocabulary import COLORS, GROUND_CLASSES
from cologen.evaluation.worldbench.palette import bins_of, palette, without_tint


def test_a_bin_is_the_five_leading_bits_of_each_channel() -> None:
    picture = np.array([[[0, 0, 0], [255, 255, 255], [8, 16, 24]]], dtype=np.uint8)
    assert bins_of(picture).tolist() == [[0, 32**3 - 1, 1 * 32**2 + 2 * 32 + 3]]


def test_every_class_s_probabilities_sum_to_one() -> None:
    found = palette("usual")
    for classes in found.classes:
        assert abs(np.exp(classes.log_joint.astype(np.float64)).sum() - 1) < 0.05


def test_camouflaged_colours_are_no_class_of_their_ground() -> None:
    classes = dict(zip(GROUND_CLASSES, palette("usual").classes, strict=True))
    assert "green" not in classes["grass"].color_names
    assert set(classes["snow"].color_names) == set(COLORS) - {"white"}


def test_pixels_of_a_ground_are_likeliest_as_that_ground() -> None:
    found = palette("usual")
    for index, name in enumerate(GROUND_CLASSES):
        bins = bins_of(paint_ground(name, 9, "unseen", 64, 64))
        joint = found.classes[index].log_joint[bins]
        assert (joint.argmax(axis=-1) == joint.shape[-1] - 3).mean() > 0.9, name


def test_pixels_of_an_object_are_likeliest_in_its_colour() -> None:
    found, right, total = palette("simple"), 0, 0
    for index in range(30):
        scene = sample_scene(3, index, "simple")
        rendering = render(scene, 64, 64)
        classes = found.classes[GROUND_CLASSES.index(scene.ground)]
        joint = classes.log_joint[bins_of(rendering.picture)]
        for thing, mask in zip(scene.objects, rendering.masks, strict=True):
            likeliest = joint[mask.astype(bool)].argmax(axis=-1)
            right += int((likeliest == classes.color_names.index(thing.color)).sum())
            total += len(likeliest)
    assert right / total > 0.85


def test_a_tint_is_taken_off() -> None:
    pixels = np.array([[100, 50, 200], [50, 100, 100]], dtype=np.uint8)
    mean, wanted = pixels.mean(axis=0, dtype=np.float32), np.array([150, 75, 75], dtype=np.float32)
    assert without_tint(pixels, mean, wanted).tolist() == [[200, 50, 100], [100, 100, 50]]
