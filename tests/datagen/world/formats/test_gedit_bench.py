from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from cologen.datagen import images
from cologen.datagen.world.edits import sample_edit
from cologen.datagen.world.formats import gedit_bench
from cologen.datagen.world.formats.drawing import World, draw

FILE = "data/train-00000-of-00001.parquet"


def test_every_scene_is_asked_in_both_languages(tmp_path: Path) -> None:
    world = World(num_scenes=6, width=64, height=48, seed=4)
    gedit_bench.write(tmp_path, world)
    rows = pq.read_table(tmp_path / FILE).to_pylist()
    assert [row["instruction_language"] for row in rows] == ["en", "cn"] * 6
    assert len({row["key"] for row in rows}) == 12
    for place, row in enumerate(rows):
        drawing = draw(world, place // 2)
        edit = sample_edit(drawing.scene, world.seed)
        assert row["task_type"] == gedit_bench.TASKS[edit.kind]
        assert row["instruction_language"] == "cn" or row["instruction"] == edit.instruction
        assert row["instruction_language"] == "en" or not row["instruction"].isascii()
        picture = images.decode(images.read_bytes(tmp_path, f"{FILE}#row={place}&column=input_image"))
        assert np.array_equal(picture, drawing.rendering.picture)
    assert [row["Intersection_exist"] for row in rows[::2]] == [row["Intersection_exist"] for row in rows[1::2]]
