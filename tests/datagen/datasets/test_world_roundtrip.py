"""What the synthetic dataset writes in each public format, the readers of that format give back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cologen.datagen import images, rle
from cologen.datagen.datasets import open_dataset
from cologen.datagen.records import Image
from cologen.datagen.world.formats import WRITERS
from cologen.datagen.world.formats.drawing import Drawing, World, draw

WORLD = World(num_scenes=12, width=160, height=128, seed=11)
NAMES = {"journeydb": "journeydb", "journeydb_archives": "journeydb", "cocostuff": "cocostuff"}
ANNOTATED = ["cocostuff", "ade20k", "ade20k_full"]


# The other layouts hold a part of each scene, or pairs of them: their own tests go around.
CAPTIONED = ["journeydb", "journeydb_archives", "cocostuff", "ade20k", "ade20k_full"]


@pytest.fixture(scope="module", params=CAPTIONED)
def layout(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    root = tmp_path_factory.mktemp(request.param)
    WRITERS[request.param](root, WORLD)
    return request.param, root


@pytest.fixture(scope="module")
def drawings() -> list[Drawing]:
    return [draw(WORLD, index) for index in range(WORLD.num_scenes)]


def test_every_scene_comes_back(
    layout: tuple[str, Path], drawings: list[Drawing], read_all: Callable[..., Any]
) -> None:
    name, root = layout
    for split in ("train", "val"):
        source = open_dataset(Image, NAMES.get(name, "ade20k"), root, split)
        assert source.annotated == (name in ANNOTATED)
        found, rejections = read_all(source)
        assert rejections == []
        expected = [drawing for drawing in drawings if drawing.split == split]
        assert len(found) == len(expected)
        seen: list[int] = []
        for image in found.values():
            pixels = images.decode(images.read_bytes(root, image.image_uri), (image.width, image.height))
            differences = [np.abs(drawing.rendering.picture.astype(int) - pixels).mean() for drawing in expected]
            drawing = expected[int(np.argmin(differences))]
            assert min(differences) < 8
            seen.append(drawing.index)
            assert image.captions[0].rstrip(".").startswith(tuple(c.rstrip(".") for c in drawing.captions))
            if source.annotated:
                check_objects(image, drawing)
        assert sorted(seen) == [drawing.index for drawing in expected]


def check_objects(image: Image, drawing: Drawing) -> None:
    """Every thing of the scene has a mask of its noun, alone or within a crowd, that is the rendered one."""
    size = (image.height, image.width)
    crowds = {item.noun: rle.decode(item.rle, *size) for item in image.objects if item.kind == "crowd"}
    for thing, mask in zip(drawing.scene.objects, drawing.rendering.masks, strict=True):
        if thing.shape in crowds:
            assert (crowds[thing.shape] >= mask).all()
        elif mask.any():
            same = [rle.decode(item.rle, *size) for item in image.objects if item.noun == thing.shape]
            assert max((np.minimum(mask, other).sum() / np.maximum(mask, other).sum()) for other in same) > 0.97
