import base64
import logging
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from cologen.evaluation.judges.asking import Answer
from cologen.evaluation.judges.endpoint import Endpoint, EndpointSettings
from cologen.evaluation.records import ScoreError
from tests.evaluation.judges.chat_server import STATED, ChatServer, Reply, failed, in_turn, said, slowly

SECRET = "sk-very-secret-0123456789"


def settings(url: str, **changes: object) -> EndpointSettings:
    given = {"url": url, "model": "judge", "timeout": 5.0, "tries": 3, "pause": 1.0, **changes}
    return EndpointSettings(**given)  # type: ignore[arg-type]


def ask(server: ChatServer, *, sleeps: list[float] | None = None, **changes: object) -> Answer:
    slept: list[float] = [] if sleeps is None else sleeps
    endpoint = Endpoint(settings(server.url, **changes), sleep=slept.append)
    try:
        return endpoint.ask("which colour?", (b"first", b"second"))
    finally:
        endpoint.close()


def test_a_question_is_sent_as_the_protocol_says(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", SECRET)
    answer = ask(server, key_variable="JUDGE_KEY", seed=4, max_tokens=99)
    assert (answer.text, answer.model, answer.ending) == ("yes", STATED, "complete")
    assert datetime.fromisoformat(answer.day).date() == datetime.now(UTC).date()
    (asked,) = server.asked
    assert (asked.path, asked.authorization) == ("/v1/chat/completions", f"Bearer {SECRET}")
    assert {name: asked.payload[name] for name in ("model", "temperature", "seed", "max_tokens")} == {
        "model": "judge",
        "temperature": 0,
        "seed": 4,
        "max_tokens": 99,
    }
    assert asked.prompt == "which colour?"
    sent = [base64.b64decode(uri.removeprefix("data:image/jpeg;base64,")) for uri in asked.pictures]
    assert sent == [b"first", b"second"]


def test_without_a_key_no_authorization_is_sent(server: ChatServer) -> None:
    ask(server)
    assert server.asked[0].authorization is None


@pytest.mark.parametrize("ending", ["/", "/chat/completions"])
def test_the_base_may_be_given_in_other_forms(server: ChatServer, ending: str) -> None:
    server.url += ending
    ask(server)
    assert server.asked[0].path == "/v1/chat/completions"


def test_the_settings_that_decide_an_answer_are_its_fingerprint() -> None:
    endpoint = Endpoint(settings("http://127.0.0.1:1/v1", seed=4, max_tokens=99))
    assert endpoint.fingerprint == "judge, temperature 0, seed 4, 99 tokens"
    endpoint.close()


def test_too_many_requests_wait_as_long_as_the_server_asks(server: ChatServer) -> None:
    server.script = in_turn(failed(429, "slow down", headers={"Retry-After": "7"}), said("at last"))
    sleeps: list[float] = []
    assert ask(server, sleeps=sleeps).text == "at last"
    assert sleeps == [7.0]


def test_retry_after_may_be_a_date(server: ChatServer) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    server.script = in_turn(failed(503, "busy", headers={"Retry-After": date}), said("at last"))
    sleeps: list[float] = []
    ask(server, sleeps=sleeps)
    assert 25 < sleeps[0] <= 30


@pytest.mark.parametrize(
    "asked", ["soon", "-5", "", "Mon, 01 Jan 2001 00:00:00 GMT", f"Mon, 01 Jan {10**30} 00:00:00 GMT"]
)
def test_a_retry_after_that_says_nothing_leaves_the_usual_pause(server: ChatServer, asked: str) -> None:
    server.script = in_turn(failed(429, "slow down", headers={"Retry-After": asked}), said("at last"))
    sleeps: list[float] = []
    ask(server, sleeps=sleeps)
    assert sleeps == [1.0]


def test_a_server_that_asks_for_too_long_is_not_waited_for(server: ChatServer) -> None:
    server.script = in_turn(failed(429, "slow down", headers={"Retry-After": "3600"}))
    with pytest.raises(ScoreError, match=r"no_answer: .*slow down, and it asks to wait 3600 s"):
        ask(server)
    assert len(server.asked) == 1


def test_pauses_double_and_tries_end(server: ChatServer) -> None:
    server.script = in_turn(failed(500, "out of memory"))
    sleeps: list[float] = []
    with pytest.raises(ScoreError, match=r"no_answer: .*4 tries, the last: HTTP 500 out of memory"):
        ask(server, sleeps=sleeps, tries=4)
    assert sleeps == [1.0, 2.0, 4.0]
    assert len(server.asked) == 4


def test_a_page_in_place_of_an_answer_is_tried_again(server: ChatServer) -> None:
    server.script = in_turn(Reply(body=b"<html>starting</html>"), said("at last"))
    assert ask(server).text == "at last"


def test_a_server_that_hangs_is_left_after_the_timeout(server: ChatServer) -> None:
    server.script = slowly(0.5, said("too late"))
    with pytest.raises(ScoreError, match=r"no_answer: .*2 tries, the last: no answer within 0.1 s"):
        ask(server, timeout=0.1, tries=2)


def test_the_timeout_is_for_the_whole_answer_not_for_each_byte(server: ChatServer) -> None:
    server.script = lambda asked: Reply(body=said("drop by drop").body, delay=0.05)
    start = time.monotonic()
    with pytest.raises(ScoreError, match=r"no answer within 0.2 s"):
        ask(server, timeout=0.2, tries=1)
    assert time.monotonic() - start < 2


def test_an_endless_answer_is_not_read_to_its_end(server: ChatServer) -> None:
    server.script = lambda asked: Reply(body=b" " * (5 << 20))
    with pytest.raises(ScoreError, match=r"no_answer: .*longer than 4,194,304 bytes"):
        ask(server, tries=1)


def test_a_refused_connection_is_tried_again_and_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sleeps: list[float] = []
    with pytest.raises(ScoreError, match=f"no_answer: http://127.0.0.1:{port}/v1/chat/completions: 3 tries.*refused"):
        ask(ChatServer(url=f"http://127.0.0.1:{port}/v1", script=lambda asked: said("")), sleeps=sleeps)
    assert sleeps == [1.0, 2.0]


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation"])
def test_a_filter_before_the_model_is_a_refusal(server: ChatServer, code: str) -> None:
    server.script = in_turn(failed(400, "not this picture", code=code))
    answer = ask(server)
    assert (answer.ending, answer.model) == ("refused", "")
    assert "not this picture" in answer.text


def test_a_question_that_cannot_be_asked_costs_one_try(server: ChatServer) -> None:
    server.script = in_turn(failed(413, "picture too large"))
    with pytest.raises(ScoreError, match=r"no_answer: .*HTTP 413 picture too large"):
        ask(server)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (failed(401, "bad key"), "refuses the key in JUDGE_KEY: HTTP 401 bad key"),
        (failed(403, "not for you"), "refuses the key in JUDGE_KEY: HTTP 403"),
        (failed(404, "no such model"), "knows no model 'judge'"),
        (failed(429, "pay first", code="insufficient_quota"), "used up .*the same command continues"),
        (Reply(status=307, headers={"Location": "http://127.0.0.1:1/"}), "not the endpoint itself"),
    ],
)
def test_what_no_question_can_pass_stops_the_run(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch, reply: Reply, message: str
) -> None:
    monkeypatch.setenv("JUDGE_KEY", SECRET)
    server.script = in_turn(reply)
    with pytest.raises(ValueError, match=message):
        ask(server, key_variable="JUDGE_KEY")
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_a_server_that_quotes_the_key_does_not_bring_it_into_messages_or_logs(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    monkeypatch.setenv("JUDGE_KEY", SECRET)
    caplog.set_level(logging.DEBUG)
    server.script = in_turn(failed(status, f"the key {SECRET} is wrong"))
    with pytest.raises((ScoreError, ValueError), match=r"the key \*\*\* is wrong") as error:
        ask(server, key_variable="JUDGE_KEY")
    assert SECRET not in str(error.value) + repr(error.value) + caplog.text


@pytest.mark.parametrize(
    "url",
    ["", "judge", "ftp://host/v1", "https://", f"https://me:{SECRET}@host/v1", f"https://host/v1?key={SECRET}"],
)
def test_an_endpoint_that_is_no_plain_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="the judge's endpoint must") as error:
        settings(url)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("changes", [{"model": ""}, {"tries": 0}, {"timeout": 0.0}, {"pause": 0.0}, {"max_tokens": 0}])
def test_settings_that_ask_nothing_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"name|at least 1"):
        settings("http://127.0.0.1/v1", **changes)
