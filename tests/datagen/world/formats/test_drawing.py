from __future__ import annotations

import io
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cologen.datagen.randomness import generator
from cologen.datagen.world.formats.drawing import Drawing, World, draw, each_scene, jpeg, png, save, split_of
from cologen.datagen.world.scene import sample_scene


def _index_and_mean(offset: int, drawing: Drawing) -> tuple[int, float]:
    return drawing.index + offset, float(drawing.rendering.picture.mean())


def _fails_at(index: int, drawing: Drawing) -> int:
    if drawing.index == index:
        raise OSError("disk full")
    return drawing.index


def test_scene_k_is_sample_scene_k(world: World) -> None:
    assert draw(world, 3).scene == sample_scene(world.seed, 3)
    assert draw(world, 3).rendering.picture.shape == (world.height, world.width, 3)
    assert len(set(draw(world, 3).captions)) == 5


def test_one_scene_in_ten_is_for_validation_and_two_scenes_have_both_splits() -> None:
    assert [split_of(index) for index in (0, 1)] == ["train", "val"]
    assert sum(split_of(index) == "val" for index in range(1000)) == 100


@pytest.mark.slow
def test_rows_come_in_order_and_are_the_same_in_two_processes() -> None:
    world, seen = World(num_scenes=20, width=32, height=32, seed=1), []
    alone = list(each_scene(world, partial(_index_and_mean, 100), workers=1, progress=seen.append))
    assert [index for index, _ in alone] == list(range(100, 120))
    assert sum(seen) == 20
    assert list(each_scene(world, partial(_index_and_mean, 100), workers=2)) == alone


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_task_reaches_the_caller(workers: int) -> None:
    world = World(num_scenes=9, width=32, height=32, seed=1)
    with pytest.raises(OSError, match="disk full"):
        list(each_scene(world, partial(_fails_at, 4), workers=workers))


@pytest.mark.parametrize(
    ("change", "words"), [({"num_scenes": 0}, "num_scenes"), ({"width": 31}, "width"), ({"height": 1025}, "height")]
)
def test_an_impossible_world_is_refused_by_the_name_of_the_field(change: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        World(**{"num_scenes": 1, "width": 64, "height": 64, "seed": 0, **change})


def test_no_workers_are_refused(world: World) -> None:
    with pytest.raises(ValueError, match="workers"):
        list(each_scene(world, partial(_index_and_mean, 0), workers=0))


def test_png_keeps_every_value_and_jpeg_nearly(tmp_path: Path) -> None:
    colors = generator(0, "png").integers(0, 256, size=(5, 7, 3), dtype=np.uint8)
    save(tmp_path / "a" / "b.png", png(colors))
    with Image.open(tmp_path / "a" / "b.png") as image:
        assert image.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(image), colors)
    with Image.open(io.BytesIO(png(colors[..., 0]))) as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), colors[..., 0])
    flat = np.full((16, 16, 3), (200, 100, 30), dtype=np.uint8)
    with Image.open(io.BytesIO(jpeg(flat))) as image:
        assert np.abs(np.asarray(image).astype(int) - flat).max() <= 3
