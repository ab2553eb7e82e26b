from pathlib import Path

import pytest

from cologen.evaluation.judges.gedit import GEditJudge
from cologen.evaluation.judges.imgedit import ImgEditJudge
from cologen.evaluation.judges.options import NOT_GIVEN, JudgeName, JudgeOptions, open_judge
from tests.evaluation.judges.chat_server import ChatServer, failed, in_turn


def test_without_a_judge_there_is_none_and_a_message_says_what_to_give(tmp_path: Path) -> None:
    assert open_judge("gedit", JudgeOptions(cache_folder=tmp_path)) is None
    assert all(option in NOT_GIVEN for option in ("--judge-endpoint", "--judge-model", "--judge-folder"))
    assert "not measured" in NOT_GIVEN


@pytest.mark.parametrize(("name", "kind"), [("gedit", GEditJudge), ("imgedit", ImgEditJudge)])
def test_the_benchmark_s_judge_is_opened_and_has_answered(
    server: ChatServer, tmp_path: Path, name: JudgeName, kind: type
) -> None:
    options = JudgeOptions(cache_folder=tmp_path, endpoint=server.url, model="judge", concurrency=3)
    judge = open_judge(name, options)
    assert isinstance(judge, kind) and judge.concurrency == 3
    assert len(server.asked) == 1 and server.asked[0].pictures == []


def test_an_endpoint_that_does_not_answer_is_one_message(server: ChatServer, tmp_path: Path) -> None:
    server.script = in_turn(failed(500, "down"))
    options = JudgeOptions(cache_folder=tmp_path, endpoint=server.url, model="judge", tries=2, pause=0.01)
    with pytest.raises(ValueError, match=r"the judge does not answer: .*2 tries, the last: HTTP 500 down"):
        open_judge("gedit", options)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"is no folder of an image-text-to-text model: expected config.json"):
        open_judge("gedit", JudgeOptions(cache_folder=tmp_path, folder=tmp_path))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"endpoint": "http://127.0.0.1:1/v1"}, "--judge-endpoint needs --judge-model"),
        ({"model": "judge"}, "--judge-model needs --judge-endpoint"),
        ({"key_variable": "JUDGE_KEY"}, "--judge-key-variable needs --judge-endpoint"),
        ({"endpoint": "http://127.0.0.1:1/v1", "model": "judge", "folder": Path("m")}, "not both"),
        ({"concurrency": 0}, "--judge-concurrency must be at least 1, got 0"),
    ],
)
def test_options_that_cannot_hold_together_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        JudgeOptions(cache_folder=Path("cache"), **given)  # type: ignore[arg-type]
