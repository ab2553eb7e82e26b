"""Scenes of the synthetic dataset as records with their pixels."""

from functools import cache

import pytest

from cologen.datagen import rle
from cologen.datagen.images import Picture
from cologen.datagen.records import Expression, Image, ObjectMask
from cologen.datagen.world.referring import referring_phrases
from cologen.datagen.world.render import render
from cologen.datagen.world.scene import sample_scene
from cologen.datagen.world.vocabulary import SHAPES

WIDTH, HEIGHT = 160, 120


@cache
def _world_image(index: int) -> tuple[Image, Picture]:
    scene = sample_scene(5, index)
    rendering = render(scene, WIDTH, HEIGHT)
    counts = [rle.encode(mask) for mask in rendering.masks]
    objects = [
        ObjectMask(noun=thing.shape, box=rle.box(one, HEIGHT, WIDTH), rle=one)
        for thing, one in zip(scene.objects, counts, strict=True)
    ]
    expressions = [
        Expression(text=text, targets=(place,))
        for place in range(len(objects))
        for text in referring_phrases(scene, place)[:4]
    ]
    image = Image(
        image_id=str(index),
        image_uri=f"{index}.jpg",
        width=WIDTH,
        height=HEIGHT,
        split="train",
        objects=tuple(objects),
        expressions=tuple(expressions),
        absent_nouns=tuple(shape for shape in SHAPES if shape not in {thing.shape for thing in scene.objects})[:3],
    )
    return image, rendering.picture


@pytest.fixture
def world_image():
    """A function from an index to a scene's record and picture."""
    return _world_image
