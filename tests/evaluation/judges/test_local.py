import io
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import PIL.Image
import pytest

from cologen.evaluation.judges.gedit import GEditJudge
from cologen.evaluation.judges.local import LocalModel
from cologen.evaluation.judges.options import JudgeOptions, open_judge
from cologen.evaluation.records import ScoreError
from tests.evaluation.judges.cases import case
from tests.evaluation.judges.tiny_judge import save_tiny_judge


def jpeg(colour: str) -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (40, 30), colour).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module")
def babbling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("babbling")
    save_tiny_judge(folder)
    return folder


@pytest.fixture(scope="module")
def grading(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grading")
    save_tiny_judge(folder, saying='{"scores":{"followed":7,"kept":9}}')
    return folder


def test_an_answer_is_read_up_to_its_end(grading: Path) -> None:
    answer = LocalModel(grading).ask("grade this", (jpeg("red"), jpeg("blue")))
    assert (answer.text, answer.ending) == ('{"scores":{"followed":7,"kept":9}}', "complete")
    assert answer.model.startswith("grading")


def test_an_answer_without_an_end_is_cut(babbling: Path) -> None:
    assert LocalModel(babbling, max_tokens=5).ask("hello", ()).ending == "cut"


def test_the_same_question_has_the_same_answer_and_pictures_are_seen(babbling: Path) -> None:
    model = LocalModel(babbling, max_tokens=12)
    red, blue = (model.ask("which colour?", (jpeg(colour),)) for colour in ("red", "blue"))
    assert red.text != blue.text
    assert LocalModel(babbling, max_tokens=12).ask("which colour?", (jpeg("red"),)) == red


def test_threads_may_ask_at_the_same_time(babbling: Path) -> None:
    model = LocalModel(babbling, max_tokens=4)
    questions = [f"question {number}" for number in range(4)]
    alone = [model.ask(question, ()).text for question in questions]
    with ThreadPoolExecutor(4) as pool:
        assert [answer.text for answer in pool.map(lambda question: model.ask(question, ()), questions)] == alone


def test_the_fingerprint_changes_with_any_file(babbling: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(babbling, tmp_path / babbling.name)
    before = LocalModel(copy).fingerprint
    assert before == LocalModel(babbling).fingerprint
    (copy / ".lock").touch()
    assert LocalModel(copy).fingerprint == before
    (copy / "chat_template.jinja").write_text("{{ messages }}")
    assert LocalModel(copy).fingerprint != before
    assert LocalModel(copy, max_tokens=5).fingerprint != LocalModel(copy).fingerprint


def test_as_a_judge_its_answers_are_held_to_the_form(grading: Path, tmp_path: Path) -> None:
    """The first question's answer fits; the second gets the same one, which has the wrong names."""
    judge = open_judge("gedit", JudgeOptions(cache_folder=tmp_path, folder=grading))
    assert isinstance(judge, GEditJudge) and "grading" in judge.identity
    with pytest.raises(ScoreError, match="unparsable: expected the 2 scores natural, clean, got followed, kept"):
        judge.judge(case())


def test_answers_of_an_earlier_run_need_no_weights(grading: Path, tmp_path: Path) -> None:
    options = JudgeOptions(cache_folder=tmp_path, folder=grading)
    first = open_judge("gedit", options)
    second = open_judge("gedit", options)
    assert first is not None and second is not None
    assert "_model" in vars(first.model.model) and "_model" not in vars(second.model.model)
