from pathlib import Path

import pytest

from cologen.datagen.records import Reason
from cologen.datagen.world.formats import World, ensure
from cologen.evaluation.benchmarks.dreambench_plus import open_dreambench_plus
from cologen.evaluation.benchmarks.options import Options
from cologen.evaluation.records import ScoreError
from tests.evaluation.benchmarks import benchmark_laws as laws

NAMES = ("live_subject/animal/00", "object/03", "style/11")


def put_dataset(root: Path) -> Path:
    for place, name in enumerate(NAMES):
        picture = laws.plain((80 * place, 10, 10), (40, 32))
        laws.put(root / f"images/{name}.jpg", laws.encoded(picture, "JPEG"))
        prompts = "".join(f"prompt {number} of {name}\n" for number in range(9))
        laws.put(root / f"captions/{name}.txt", f"Sleepy Kitten\n{prompts}")
    return root


def test_each_picture_has_its_prompts(tmp_path: Path) -> None:
    found = open_dreambench_plus(put_dataset(tmp_path), Options(size=64))
    laws.check(found, open_dreambench_plus(tmp_path, Options(size=64)))
    assert len(found.items) == 27 and found.protocol["pictures"].startswith("3 of 150")
    first, last = found.items[1], found.items[-1]
    assert (first.item_id, first.cluster) == ("live_subject_animal_00-1", "live_subject_animal_00")
    assert first.output_names[0].format(i=0) == "tgt_image/live_subject_animal_00_sleepy_kitten/1_0.jpg"
    assert (last.item_id, last.group, last.prompt) == ("style_11-8", "style", "prompt 8 of style/11")
    assert found.question(last).pictures[0][0, 0, 0] == pytest.approx(160, abs=4)
    assert found.networks["dino"] == "facebook/dino-vits8"


def test_missing_prompts_are_counted_and_damage_is_a_bad_input(tmp_path: Path) -> None:
    put_dataset(tmp_path)
    laws.put(tmp_path / "captions/object/03.txt", "Cup\none\ntwo\n")
    laws.put(tmp_path / "captions/style/11.txt", "")
    (tmp_path / "images/object/03.jpg").unlink()
    found = open_dreambench_plus(tmp_path, Options())
    assert len(found.items) == 9 + 2 and len(found.rejected) == 7 + 9
    assert {each.reason for each in found.rejected} == {Reason.NULL_CAPTION}
    with pytest.raises(ScoreError, match=r"bad_input: missing_image: images/object/03\.jpg"):
        found.expected(found.items[9])


def test_a_subject_s_name_leads_nowhere(tmp_path: Path) -> None:
    put_dataset(tmp_path)
    laws.put(tmp_path / "captions/object/03.txt", "../{x}/Cup\n" + "a cup\n" * 9)
    found = open_dreambench_plus(tmp_path, Options())
    name = next(item.output_names[0] for item in found.items if item.item_id == "object_03-0")
    assert name.format(i=0) == "tgt_image/object_03_..__x__cup/0_0.jpg"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none of the folders images"):
        open_dreambench_plus(tmp_path, Options())
    (tmp_path / "images").mkdir()
    with pytest.raises(FileNotFoundError, match="none of the folders captions"):
        open_dreambench_plus(tmp_path, Options())
    with pytest.raises(ValueError, match="no option subjects"):
        open_dreambench_plus(tmp_path, Options(subjects=("cat",)))


def test_the_synthetic_dataset_has_the_same_layout(tmp_path: Path) -> None:
    ensure("dreambench_plus", tmp_path, World(num_scenes=3, width=64, height=48, seed=3))
    found = open_dreambench_plus(tmp_path, Options())
    laws.check(found, open_dreambench_plus(tmp_path, Options()))
    assert len(found.items) == 27 and found.rejected == ()
