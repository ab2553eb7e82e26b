from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from cologen.datagen import images
from cologen.datagen.world.captions import captions
from cologen.datagen.world.edits import sample_edit
from cologen.datagen.world.formats import emu_edit
from cologen.datagen.world.formats.drawing import World, draw

WORLD = World(num_scenes=12, width=64, height=48, seed=4)


def test_every_scene_is_one_edit_without_a_target(tmp_path: Path) -> None:
    emu_edit.write(tmp_path, WORLD)
    found = {}
    for split in ("test", "validation"):
        name = f"data/{split}-00000-of-00001.parquet"
        for place, row in enumerate(pq.read_table(tmp_path / name).to_pylist()):
            assert row["split"] == split
            found[row["idx"]] = row, f"{name}#row={place}&column=image"
    assert sorted(found) == list(range(12)) and [found[i][0]["split"] for i in (0, 1, 11)] == [
        "test",
        "validation",
        "validation",
    ]
    for index, (row, uri) in found.items():
        drawing = draw(WORLD, index)
        edit = sample_edit(drawing.scene, WORLD.seed)
        assert (row["instruction"], row["task"]) == (edit.instruction, emu_edit.TASKS[edit.kind])
        assert (row["input_caption"], row["output_caption"]) == (drawing.captions[0], captions(edit.after, 1)[0])
        assert np.array_equal(images.decode(images.read_bytes(tmp_path, uri)), drawing.rendering.picture)
    assert len({row["hash"] for row, _ in found.values()}) == 12
