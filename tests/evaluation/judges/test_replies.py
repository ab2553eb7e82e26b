import json

import pytest

from cologen.evaluation.judges.replies import UnusableError, error_in, is_filter, is_quota, read_reply, shortened
from tests.evaluation.judges.chat_server import STATED, said


def test_a_reply_gives_text_and_the_model_s_own_name() -> None:
    answer = read_reply(said("hello").body, day="2026-11-29")
    assert (answer.text, answer.model, answer.day, answer.ending) == ("hello", STATED, "2026-11-29", "complete")


def test_text_may_come_in_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "reasoning", "text": "no"}, {"type": "text", "text": "b"}]
    reply = {"choices": [{"message": {"content": parts}}]}
    answer = read_reply(json.dumps(reply).encode(), day="2026-11-29")
    assert (answer.text, answer.model) == ("ab", "")


@pytest.mark.parametrize(
    ("reply", "ending"),
    [
        (said(None, refusal="I can't."), "refused"),
        (said("", finish="content_filter"), "refused"),
        (said("half an", finish="length"), "cut"),
        (said(None), "complete"),
    ],
)
def test_refusals_and_cut_answers_are_known_by_what_the_reply_says(reply: object, ending: str) -> None:
    assert read_reply(reply.body, day="2026-11-29").ending == ending  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "content",
    [b"<html>gateway</html>", b"", b"[]", b"{}", b'{"error": {"message": "busy"}}', b'{"choices": []}', b"\xff"],
)
def test_what_is_no_completion_is_no_answer(content: bytes) -> None:
    with pytest.raises(UnusableError, match="no chat completion"):
        read_reply(content, day="2026-11-29")


def test_an_error_s_message_and_code_are_read() -> None:
    content = b'{"error": {"message": "too\\nlarge", "code": "content_filter"}}'
    assert error_in(content) == "too large"
    assert is_filter(content) and not is_quota(content)
    assert is_quota(b'{"error": {"code": "insufficient_quota"}}')
    assert not is_filter(b'{"error": {"code": ["content_filter"]}}')


@pytest.mark.parametrize("content", [b"plain", b'"plain"', b'{"error": "plain"}', b'{"error": {"code": 3}}'])
def test_errors_in_other_forms_are_shown_as_they_are(content: bytes) -> None:
    assert error_in(content) == content.decode()
    assert not is_filter(content) and not is_quota(content)


def test_what_is_shown_is_one_short_printable_line() -> None:
    assert shortened(b"a\x1b[31m\n b") == "a�[31m b"
    assert len(shortened(b"x" * 10_000)) == 200
