from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cologen.datagen import images
from cologen.datagen.world.formats import control_eval
from cologen.datagen.world.formats.drawing import World, draw
from cologen.datagen.world.formats.multigen import depth_map, segmentation

WORLD = World(num_scenes=4, width=64, height=48, seed=4)
FILE = "data/validation-00000-of-00001.parquet"
WRITERS: list[Callable[..., None]] = [control_eval.write_canny, control_eval.write_depth, control_eval.write_cocostuff]


@pytest.mark.parametrize("write", WRITERS)
def test_all_scenes_are_one_validation_split(write: Callable[..., None], tmp_path: Path) -> None:
    write(tmp_path, WORLD)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.parquet")] == [FILE]
    table = pq.read_table(tmp_path / FILE)
    words = table["prompt" if "prompt" in table.column_names else "text"].to_pylist()
    assert words == [draw(WORLD, index).captions[0] for index in range(4)]


def test_maps_are_exact(tmp_path: Path) -> None:
    control_eval.write_depth(tmp_path / "depth", WORLD)
    control_eval.write_cocostuff(tmp_path / "coco", WORLD)
    rows = pq.read_table(tmp_path / "coco" / FILE).to_pylist()
    for index, row in enumerate(rows):
        drawing = draw(WORLD, index)
        depth = images.read_bytes(tmp_path / "depth", f"{FILE}#row={index}&column=control_depth")
        assert np.array_equal(images.decode_map(depth), depth_map(drawing))
        shown = images.read_bytes(tmp_path / "coco", f"{FILE}#row={index}&column=control_seg")
        assert np.array_equal(images.decode(shown), segmentation(drawing))
        assert np.array_equal(row["panoptic_seg_map"], drawing.rendering.class_map)
