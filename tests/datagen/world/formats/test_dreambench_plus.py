from pathlib import Path

from cologen.datagen import images
from cologen.datagen.world.formats import dreambench_plus
from cologen.datagen.world.formats.drawing import World
from cologen.datagen.world.subjects import subject_pair


def test_a_subject_is_a_picture_and_nine_prompts(tmp_path: Path) -> None:
    dreambench_plus.write(tmp_path, World(num_scenes=3, width=64, height=48, seed=4))
    for index in range(3):
        subject, *prompts = (tmp_path / f"captions/object/{index:02d}.txt").read_text().splitlines()
        assert subject == subject_pair(4, index).item
        assert len(set(prompts)) == 9 and all(f" {subject} " in prompt for prompt in prompts)
        assert images.probe(tmp_path, f"images/object/{index:02d}.jpg") == (64, 48)
