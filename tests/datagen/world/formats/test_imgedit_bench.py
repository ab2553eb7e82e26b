import json
from pathlib import Path

from cologen.datagen import images
from cologen.datagen.world.edits import sample_edit
from cologen.datagen.world.formats import imgedit_bench
from cologen.datagen.world.formats.drawing import World, draw


def test_every_scene_is_one_edit_of_a_picture_beside_the_list(tmp_path: Path) -> None:
    world = World(num_scenes=5, width=64, height=48, seed=4)
    imgedit_bench.write(tmp_path, world)
    edits = json.loads((tmp_path / "basic_edit.json").read_text())
    assert list(edits) == ["1", "2", "3", "4", "5"]
    for index, row in enumerate(edits.values()):
        edit = sample_edit(draw(world, index).scene, world.seed)
        assert (row["prompt"], row["edit_type"]) == (edit.instruction, imgedit_bench.TYPES[edit.kind])
        assert images.probe(tmp_path, f"original_images/{row['id']}") == (64, 48)
