from itertools import pairwise
from pathlib import Path

import numpy as np

from cologen.datagen import images
from cologen.datagen.world.formats import dreambench
from cologen.datagen.world.formats.drawing import World
from cologen.datagen.world.subjects import subject_pair


def test_a_subject_is_a_folder_of_photographs_and_a_class(tmp_path: Path) -> None:
    world = World(num_scenes=2, width=64, height=48, seed=4)
    dreambench.write(tmp_path, world)
    text = (tmp_path / "dataset/prompts_and_classes.txt").read_text()
    for index, name in enumerate(("backpack", "backpack_dog")):
        folder = tmp_path / "dataset" / name
        assert sorted(path.name for path in folder.iterdir()) == [f"{number:02d}.jpg" for number in range(6)]
        seen = [images.decode(images.read_bytes(folder, f"{number:02d}.jpg")) for number in range(6)]
        assert all(picture.shape == (48, 64, 3) for picture in seen)
        assert not any(np.array_equal(a, b) for a, b in pairwise(seen))
        assert f"\n{name},{subject_pair(4, index).item}\n" in text
    assert text.count("{0} {1}") == 2 * 25 and "Live Subject Prompts" in text


def test_there_are_as_many_subjects_as_names(tmp_path: Path) -> None:
    dreambench.write(tmp_path, World(num_scenes=24, width=32, height=32, seed=4))
    folders = [path.name for path in (tmp_path / "dataset").iterdir() if path.is_dir()]
    assert sorted(folders) == sorted(dreambench.NAMES) and len(folders) == 21
