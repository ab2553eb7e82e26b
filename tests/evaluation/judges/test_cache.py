import json
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cologen.evaluation.judges.asking import Answer, Ending
from cologen.evaluation.judges.cache import FIRST_PROMPT, answer_path, open_cached, question_key
from cologen.evaluation.judges.endpoint import Endpoint, EndpointSettings
from cologen.evaluation.records import ScoreError
from tests.evaluation.judges.chat_server import ChatServer, failed, in_turn, said


class Counting:
    """Answers with the number of the question, so that no two answers are alike."""

    def __init__(self, *, stated: str = "m-1", ending: Ending = "complete", pause: float = 0.0) -> None:
        self.asked: list[str] = []
        self._stated, self._ending, self._pause = stated, ending, pause
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> str:
        return "m, greedy"

    def ask(self, prompt: str, pictures: Sequence[bytes]) -> Answer:
        time.sleep(self._pause)
        with self._lock:
            self.asked.append(prompt)
            return Answer(text=f"answer {len(self.asked)}", model=self._stated, day="2026-11-29", ending=self._ending)


def test_a_question_is_asked_once_in_whatever_run(tmp_path: Path) -> None:
    model = Counting()
    first = open_cached(model, tmp_path).ask("p", (b"x",))
    assert first.text == "answer 2" and model.asked == [FIRST_PROMPT, "p"]
    silent = Counting()
    assert open_cached(silent, tmp_path).ask("p", (b"x",)) == first
    assert silent.asked == []


def test_any_part_of_a_question_makes_another_one() -> None:
    model = Counting()
    questions = [("p", ()), ("q", ()), ("p", (b"",)), ("p", (b"xy",)), ("p", (b"x", b"y")), ("px", (b"y",))]
    keys = {question_key(model, prompt, pictures) for prompt, pictures in questions}
    assert len(keys) == 6


@pytest.mark.parametrize("ending", ["refused", "cut"])
def test_unwanted_answers_are_kept_too(tmp_path: Path, ending: Ending) -> None:
    model = Counting(ending=ending)
    cached = open_cached(model, tmp_path)
    assert cached.ask("p", ()) == cached.ask("p", ())
    assert cached.ask("p", ()).ending == ending
    assert len(model.asked) == 2


def test_no_answer_is_not_kept(tmp_path: Path, server: ChatServer) -> None:
    server.script = in_turn(said("ready"), failed(500, "down"), said("up again"))
    endpoint = Endpoint(EndpointSettings(url=server.url, model="judge", tries=1))
    cached = open_cached(endpoint, tmp_path)
    with pytest.raises(ScoreError, match="no_answer"):
        cached.ask("p", ())
    assert cached.ask("p", ()).text == "up again"
    endpoint.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b"answer 2", b"answer 9"),
        lambda content: b"[]",
        lambda content: b'{"text": "answer 9"}',
        lambda content: b"\xff\xfe",
    ],
    ids=["empty", "half", "changed", "list", "no checksum", "not text"],
)
def test_a_damaged_entry_is_asked_again_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: object
) -> None:
    model = Counting()
    cached = open_cached(model, tmp_path)
    cached.ask("p", ())
    path = answer_path(tmp_path, question_key(model, "p", ()))
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with caplog.at_level(logging.WARNING):
        assert cached.ask("p", ()).text == "answer 3"
    assert caplog.text.count(f"{path} is damaged and removed") == 1
    assert cached.ask("p", ()).text == "answer 3"


def test_threads_with_the_same_question_get_the_same_answer(tmp_path: Path) -> None:
    model = Counting(pause=0.02)
    cached = open_cached(model, tmp_path)
    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(lambda _: cached.ask("p", (b"x",)), range(16)))
    assert len(answers) == 1 and len(model.asked) == 2


def test_of_two_processes_with_the_same_question_the_first_to_answer_is_kept(tmp_path: Path) -> None:
    faster, slower = Counting(), Counting()
    open_cached(faster, tmp_path)

    def overtaken(prompt: str, pictures: Sequence[bytes]) -> Answer:
        open_cached(faster, tmp_path).ask(prompt, pictures)
        return Answer(text="too late", model="m-1", day="2026-11-29", ending="complete")

    cached = open_cached(slower, tmp_path)
    slower.ask = overtaken  # type: ignore[method-assign]
    assert cached.ask("p", ()).text == "answer 2"


def test_an_entry_can_be_read_by_people_and_leaves_no_other_file(tmp_path: Path) -> None:
    model = Counting()
    open_cached(model, tmp_path).ask("which colour?", (b"x",))
    entry = json.loads(answer_path(tmp_path, question_key(model, "which colour?", (b"x",))).read_text())
    assert (entry["prompt"], entry["text"], entry["model"], entry["day"]) == (
        "which colour?",
        "answer 2",
        "m-1",
        "2026-11-29",
    )
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".json", ".json"]


def test_the_identity_is_that_of_the_first_answer_and_does_not_change(tmp_path: Path) -> None:
    identity = open_cached(Counting(), tmp_path).identity
    assert identity == "m, greedy, named m-1 by itself, since 2026-11-29"
    assert open_cached(Counting(stated="m-2"), tmp_path).identity == identity


def test_another_model_behind_the_same_name_stops_the_run(tmp_path: Path) -> None:
    open_cached(Counting(), tmp_path).ask("old", ())
    later = open_cached(Counting(stated="m-2"), tmp_path)
    assert later.ask("old", ()).model == "m-1"
    with pytest.raises(ValueError, match="named itself m-1 on 2026-11-29 and m-2"):
        later.ask("new", ())


def test_the_key_is_not_kept(tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk-very-secret-0123456789"
    monkeypatch.setenv("JUDGE_KEY", secret)
    server.script = lambda asked: said(f"you sent {asked.authorization}")
    endpoint = Endpoint(EndpointSettings(url=server.url, model="judge", key_variable="JUDGE_KEY"))
    assert open_cached(endpoint, tmp_path).ask("p", ()).text == "you sent Bearer ***"
    assert all(secret.encode() not in path.read_bytes() for path in tmp_path.rglob("*.json"))
    endpoint.close()
