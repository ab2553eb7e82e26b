from pathlib import Path

import pytest

from cologen.datagen.records import Reason
from cologen.datagen.world.formats import World, ensure
from cologen.evaluation.benchmarks.dreambench import open_dreambench
from cologen.evaluation.benchmarks.dreambench_files import PICTURES
from cologen.evaluation.benchmarks.options import Options
from cologen.evaluation.records import ScoreError
from tests.evaluation.benchmarks import benchmark_laws as laws

SUBJECTS = {"teapot": "teapot", "cat2": "cat", "can": "can"}


def put_dataset(root: Path, classes: dict[str, str] = SUBJECTS) -> Path:
    """The published layout in small: five photographs of each subject, their colours saying which."""
    for place, subject in enumerate(SUBJECTS):
        for number in range(5):
            picture = laws.plain((50 * place, 40 * number, 0), (40, 32))
            laws.put(root / f"dataset/{subject}/{number:02d}.jpg", laws.encoded(picture, "JPEG"))
    lines = "".join(f"{name},{class_}\n" for name, class_ in classes.items())
    kinds = {
        kind: "".join(f"'a {{0}} {{1}} {kind} {number}'.format(unique_token, class_token),\n" for number in range(25))
        for kind in ("inside", "wearing")
    }
    text = (
        f"Classes\n\nsubject_name,class\n{lines}\nPrompts\n\nObject Prompts\n\nprompt_list = [\n{kinds['inside']}]\n"
        f"\nLive Subject Prompts\n\nprompt_list = [\n{kinds['wearing']}]\n"
    )
    laws.put(root / "dataset/prompts_and_classes.txt", text)
    laws.put(root / "dataset/references_and_licenses.txt", "…")
    return root


def test_each_subject_has_its_prompts_and_its_fixed_photograph(tmp_path: Path) -> None:
    put_dataset(tmp_path)
    for root in (tmp_path, tmp_path / "dataset"):
        found = open_dreambench(root, Options(size=64))
        laws.check(found, open_dreambench(root, Options(size=64)))
        assert len(found.items) == 75
        assert list(dict.fromkeys(item.cluster for item in found.items)) == ["can", "cat2", "teapot"]
    by_id = {item.item_id: item for item in found.items}
    teapot, cat = by_id["teapot-03"], by_id["cat2-24"]
    assert (teapot.prompt, teapot.group, teapot.task) == ("a teapot inside 3", "object", "customized")
    assert (cat.prompt, cat.group) == ("a cat wearing 24", "live subject")
    assert dict(teapot.texts) == {"output": teapot.prompt} and teapot.num_outputs == 4
    question, expected = found.question(teapot), found.expected(teapot)
    assert question.pictures[0][0, 0, 1] == pytest.approx(160, abs=4), "teapot/04.jpg"
    assert (question.width, question.height) == (64, 64) and len(expected.references) == 1
    assert found.question(cat).pictures[0][0, 0, 1] == pytest.approx(80, abs=4), "cat2/02.jpg"
    assert found.protocol["subjects"].startswith("3 of 30")


def test_all_photographs_are_compared_with_if_asked(tmp_path: Path) -> None:
    found = open_dreambench(put_dataset(tmp_path), Options(reference="references", limit=1))
    laws.check(found, open_dreambench(tmp_path, Options(reference="references", limit=1)))
    greens = [picture[0, 0, 1] for picture in found.expected(found.items[0]).references]
    assert greens == pytest.approx([0, 40, 80, 120, 160], abs=4)
    assert found.protocol["items"] == "the first 1 of 75 (0 rows rejected)"


def test_subjects_can_be_chosen_from_the_list(tmp_path: Path) -> None:
    put_dataset(tmp_path)
    found = open_dreambench(tmp_path, Options(subjects=("teapot", "teapot")))
    assert {item.cluster for item in found.items} == {"teapot"} and len(found.items) == 25
    with pytest.raises(ValueError, match="dreambench has no subject 'sphinx'"):
        open_dreambench(tmp_path, Options(subjects=("teapot", "sphinx")))
    with pytest.raises(FileNotFoundError, match="lacks the folders vase"):
        open_dreambench(tmp_path, Options(subjects=("teapot", "vase")))


def test_what_is_missing_or_damaged(tmp_path: Path) -> None:
    put_dataset(tmp_path, {"teapot": "teapot", "can": "can"})
    found = open_dreambench(tmp_path, Options())
    assert [(each.sample_id, each.reason) for each in found.rejected] == [("dreambench/cat2", Reason.MALFORMED_RECORD)]
    (tmp_path / "dataset/can/01.jpg").unlink()
    laws.put(tmp_path / "dataset/teapot/04.jpg", b"not a picture")
    for item, words in ((found.items[0], "missing_image"), (found.items[-1], "not_an_image")):
        for use in (found.question, found.expected):
            with pytest.raises(ScoreError, match=f"bad_input.*{words}"):
                use(item)
    for subject in SUBJECTS:
        (tmp_path / "dataset" / subject).rename(tmp_path / f"moved_{subject}")
    with pytest.raises(FileNotFoundError, match="holds none of the folders backpack, "):
        open_dreambench(tmp_path, Options())
    (tmp_path / "dataset/prompts_and_classes.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file prompts_and_classes\.txt"):
        open_dreambench(tmp_path, Options())
    with pytest.raises(ValueError, match="no reference 'target'"):
        open_dreambench(tmp_path, Options(reference="target"))


def test_the_synthetic_dataset_has_the_same_layout(tmp_path: Path) -> None:
    ensure("dreambench", tmp_path, World(num_scenes=3, width=64, height=48, seed=3))
    found = open_dreambench(tmp_path, Options())
    laws.check(found, open_dreambench(tmp_path, Options()))
    assert len(found.items) == 3 * 25 and found.rejected == ()
    assert {item.cluster for item in found.items} == {"backpack", "backpack_dog", "bear_plushie"} <= set(PICTURES)
    assert len({item.prompt for item in found.items if item.cluster == "backpack"}) == 25
